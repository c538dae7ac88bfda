/** Python's `datetime.now().strftime(format)` in the C locale, with glibc's flags for padding. */
import { unsupported } from "../values/errors.ts";

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
];

/** A local time without a zone as text. Throws for a directive that is not known. */
export function strftime(date: Date, format: string): string {
  return format.replace(/%([-_0^#]?)([\s\S]?)/g, (whole, flag: string, directive: string) => {
    const found = directiveOf(date, directive);
    if (found === null) throw unsupported(`"${whole}" in strftime_now`);
    const text = typeof found === "string" ? found : padded(found, flag);
    if (flag === "^") return text.toUpperCase();
    return flag === "#" ? text.toUpperCase() : text;
  });
}

interface Digits {
  readonly value: number;
  readonly width: number;
  readonly fill: string;
}

function padded({ value, width, fill }: Digits, flag: string): string {
  const by = flag === "_" ? " " : flag === "0" ? "0" : fill;
  return flag === "-" ? String(value) : String(value).padStart(width, by);
}

function directiveOf(date: Date, directive: string): string | Digits | null {
  const digits = (value: number, width = 2, fill = "0"): Digits => ({ value, width, fill });
  const day = date.getDay();
  const again = (format: string) => strftime(date, format);
  const hour12 = date.getHours() % 12 || 12;
  const parts = new Map<string, () => string | Digits>([
    ["a", () => DAYS[day]!.slice(0, 3)],
    ["A", () => DAYS[day]!],
    ["b", () => MONTHS[date.getMonth()]!.slice(0, 3)],
    ["h", () => MONTHS[date.getMonth()]!.slice(0, 3)],
    ["B", () => MONTHS[date.getMonth()]!],
    ["d", () => digits(date.getDate())],
    ["e", () => digits(date.getDate(), 2, " ")],
    ["H", () => digits(date.getHours())],
    ["k", () => digits(date.getHours(), 2, " ")],
    ["I", () => digits(hour12)],
    ["l", () => digits(hour12, 2, " ")],
    ["m", () => digits(date.getMonth() + 1)],
    ["M", () => digits(date.getMinutes())],
    ["S", () => digits(date.getSeconds())],
    ["f", () => String(date.getMilliseconds() * 1000).padStart(6, "0")],
    ["p", () => (date.getHours() < 12 ? "AM" : "PM")],
    ["P", () => (date.getHours() < 12 ? "am" : "pm")],
    ["y", () => digits(date.getFullYear() % 100)],
    ["Y", () => digits(date.getFullYear(), 1)],
    ["C", () => digits(Math.floor(date.getFullYear() / 100))],
    ["j", () => digits(dayOfYear(date) + 1, 3)],
    ["u", () => digits(day || 7, 1)],
    ["w", () => digits(day, 1)],
    ["U", () => digits(Math.floor((dayOfYear(date) + 7 - day) / 7))],
    ["W", () => digits(Math.floor((dayOfYear(date) + 7 - ((day + 6) % 7)) / 7))],
    ["z", () => ""],
    ["Z", () => ""],
    ["s", () => String(Math.floor(date.getTime() / 1000))],
    ["c", () => again("%a %b %e %H:%M:%S %Y")],
    ["x", () => again("%m/%d/%y")],
    ["X", () => again("%H:%M:%S")],
    ["D", () => again("%m/%d/%y")],
    ["F", () => again("%Y-%m-%d")],
    ["T", () => again("%H:%M:%S")],
    ["R", () => again("%H:%M")],
    ["r", () => again("%I:%M:%S %p")],
    ["n", () => "\n"],
    ["t", () => "\t"],
    ["%", () => "%"],
  ]);
  return parts.get(directive)?.() ?? null;
}

/** Days since the first of January. */
function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 1);
  return (Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - start) / 86_400_000;
}
