export function writeListings(source: string): void;
