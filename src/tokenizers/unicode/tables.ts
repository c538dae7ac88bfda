/**
 * Where the Unicode tables of Rust's build differ from those of Unicode 17, which today's JavaScript engines have. Found by
 * asking Rust about each code point (test/parity/unicode_tables.py prints them anew). An engine with an older Unicode
 * knows fewer characters still; docs/differences.md says what follows.
 *
 * Ranges in base 36: the distance from the end of the last one, and "-" with the length less one.
 */

/** Code points that Unicode 16 does not have: for Oniguruma and the regex crate they are in no class. */
export const AFTER_16 =
  "1ov r1 3k 2r7-e 3-b 15i 251 ojc-1 3 2 t gk2-f ce-1 1j-6 29e-p 12k-2 9-8 y-1 2g5-7 g9-17 5-9 fxz-o 3-o " +
  "7z-4 4qq-7 zu-l 2q-36 cg8-2 ce-m g-g 4pc-u 2-l 9-1 34p 4f-3 9i-8 ak-3 1f 4 1m 5 t 5 7f 10zk-5 4mb-b " +
  "gsj-3bd";

/** Punctuation now, but not for the crate unicode_categories. */
export const NOT_PUNCTUATION =
  "17h rk 3d e9 d 2x6-1 1a-2 3pg-c 3-b 1829 8v z 3p-4 19-3 uj-1 2-1 37-4 b-1 2 eb-c 25 aq 7d-2 4c 2l-7 2c-2 " +
  "2-4 2m-9 60 2o-4 17-1 hy-1 23-c 4w 35e-1 c57-2 88-3 94 nbx nz-1";

/** Nonspacing marks now, but not for the crate unicode_categories. */
export const NOT_NONSPACING =
  "1kt 4a-8 17-n 7x 70-5 2e 4v 1k 5g 1n-1 1x 8p k 1tt 3a-1 ft-u 3-b ln-5 rap 49 1m 5a jmv-3 1u-4 8u-1 26-5 " +
  "1z-a 1e-3 6j 3-1 26 7b 6 33 3 6y 3k-5 e 2 2 f-1 2e-7 3-2 2 o r5-8 2-1 75-1 2 5 41-3 3-1 5 x-9 15-5 3-3 9 " +
  "a-5 3-2 1b-c 2-1 5j 2-2 2 5m-6 2-5 2 2b-l 3-6 2-1 2-1 3f-5 4 2-1 2-6 2 21-1 4 2 9o-1 c-1 1h-4 6 2 o 44m " +
  "7-e 8uh-b 4-2 2sg 45 isc-19 3-m 3ay-6 2-g 3-6 2-1 2-4 2t 4h-6 ag 1q-3 e5-3 73-1 6s 3 8-1 6 gf-6";

/** Marks now, but not for the crate unicode-normalization-alignments. */
export const NOT_COMBINING =
  "1kt 4a-8 17-9 8b 70-5 2e 4v 1k 53 d 1n-1 1x 8p k 1mv 6y j4-u 3-b ek 73-4 raq 5v js5-3 1u-4 8u-1 26-5 " +
  "1z-a 1e-3 6j 3-1 26 3n-1 3n 5-1 36 6y 3h-8 2 3 2-3 2-4 2 f-1 3g r2-e 6u-5 2-1 3-3 2 2-1 3y-6 3-6 4 t-9 " +
  "15-6 2-3 9 a-a 1b-f 5j-7 cq-5 4 2-1 2-6 2 1v-4 2-1 2-4 9o-3 a-1 2 1d-6 4-4 o 44m 7-e 8uh-h 2sg 1c-8 2l " +
  "c-1 irz-19 3-m 3ex 4h-6 ag 1q-3 e5-3 73-1 6s 3 8-1 6";

/** What that crate neither decomposes nor reorders, though Unicode 17 does. */
export const NOT_NORMALIZED =
  "1kt 4a-8 17-9 8b fy 73-1 am 1nf q2-u 3-b ln-4 raq ihp r 1fk-3 1u-4 8u-1 26-1 2-2 1z-a 1e-3 6j jv 20 2 9 " +
  "3 1g 2-1 6-2 3y rf-1 72 5-1 5 4d 2c j 2a ix 2-1 2a bu-1 d0f-7 7 2ex-2 hy-1 m8u 4h-6 ag 1q-3 e5-3 73-1 6s " +
  "3 8-1 6";

/** What it does not decompose for NFKC and NFKD, besides. */
export const NOT_NORMALIZED_COMPATIBLY = "a2n n3m-3 ol i6w-4 2-15 2-8 12xo-z 3sn-1p 3cv 22s-9";
