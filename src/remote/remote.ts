/** The types of things in another thread. */

declare const thing: unique symbol;
/** Says of a stand-in, in types only, what it stands for. */
export interface StandsFor<T> {
  readonly [thing]: T;
}

/** What is copied. */
export type Copied =
  | undefined
  | null
  | boolean
  | number
  | string
  | bigint
  | ArrayBufferView
  | ArrayBuffer
  | Blob
  | Date
  | Error
  | URL
  | AbortSignal;

/** What arrives when a value is sent: data as it is, everything else as a stand-in. */
export type Sent<T> = T extends Copied
  ? T
  : T extends readonly unknown[]
    ? { [K in keyof T]: Sent<T[K]> }
    : T extends ReadonlyMap<infer K, infer V>
      ? Map<K, Sent<V>>
      : T extends AsyncIterable<infer I>
        ? AsyncIterable<Sent<I>>
        : IsPlain<T> extends true
          ? { readonly [K in keyof T]: Sent<T[K]> }
          : Remote<T>;

/** Objects with functions among their properties, and functions, stay where they are. */
export type IsPlain<T> = T extends (...given: never) => unknown
  ? false
  : Extract<T[keyof T], (...given: never) => unknown> extends never
    ? true
    : false;

/** What may be given where T is expected: T itself, or with stand-ins for things in it. */
export type Given<T> = T extends Copied
  ? T
  : T extends (...given: never) => unknown
    ? T
    : T extends readonly unknown[] | ReadonlyMap<unknown, unknown>
      ? T | { readonly [K in keyof T]: Given<T[K]> }
      : StandsFor<T> | { readonly [K in keyof T]: Given<T[K]> };

/** What may be given for a list of arguments. */
export type GivenAll<A extends readonly unknown[]> = { [K in keyof A]: Given<A[K]> };

/** A thing in another thread: its functions and properties are promises of what they are there. */
export type Remote<T> = (T extends abstract new (
  ...given: infer A
) => infer R
  ? { new (...given: GivenAll<A>): Promise<Remote<R>> }
  : unknown) &
  (T extends (...given: infer A) => AsyncIterable<infer I>
    ? (...given: GivenAll<A>) => Promise<AsyncIterable<Sent<I>>>
    : T extends (...given: infer A) => infer R
      ? (...given: GivenAll<A>) => Promise<Sent<Awaited<R>>>
      : unknown) & {
    readonly [K in keyof T as K extends string ? K : never]: RemoteProperty<NonNullable<T[K]>, T[K]>;
  } & StandsFor<T>;

/** What a property of a thing in another thread is here. */
export type RemoteProperty<T, Whole> = T extends
  | ((...given: never) => unknown)
  | (abstract new (
      ...given: never
    ) => unknown)
  ? Remote<T>
  : T extends Copied
    ? Promise<Whole>
    : IsPlain<T> extends true
      ? Promise<Sent<Whole>>
      : Promise<Sent<Whole>> & Remote<T>;
