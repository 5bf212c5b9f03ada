"""The head of generated C for integers: vectors of 32-bit numbers, and what multiplies groups of bytes on each machine."""

from __future__ import annotations

from tacit.targets.c.isa import isa_named

_SCALAR = """
#define INT_RIGHT1(x, by) ((x) >> (by))
#define INT_MUL1(x, y) ((x) * (y))
#define INT_SCALE1(x, s) ((x) * (s))
#define INT_ADDV1(x, y) ((x) + (y))
#define INT_SHIFTED1(x, s) ((x) + (s))
INLINE int32_t INT_CLIP1(int32_t x, int32_t low, int32_t high) {
  int32_t under = -(x < low), over;
  HIDE(under);
  x = (x & ~under) | (low & under);
  over = -(x > high);
  HIDE(over);
  return (x & ~over) | (high & over);
}
INLINE int32_t BITS32(const void *p) {
  int32_t bits;
  COPY(&bits, p, 4);
  return bits;
}
"""

_VECTOR = """
/* {lanes} numbers of 32 bits at once */
#if defined(__GNUC__)
typedef int32_t n{lanes} __attribute__((vector_size({bytes}), aligned(4), may_alias));
#define INT_ZERO{lanes} ((n{lanes}){{0}})
#define INT_SPLAT{lanes}(s) ((n{lanes}){{0}} + (s))
#define INT_LOAD{lanes}(p) (*(const n{lanes} *)(p))
#define INT_STORE{lanes}(p, x) (*(n{lanes} *)(p) = (x))
#define INT_RIGHT{lanes}(x, by) ((x) >> (by))
#define INT_MUL{lanes}(x, y) ((x) * (y))
#define INT_SCALE{lanes}(x, s) ((x) * (s))
#define INT_ADDV{lanes}(x, y) ((x) + (y))
#define INT_SUBV{lanes}(x, y) ((x) - (y))
#define INT_SHIFTED{lanes}(x, s) ((x) + (s))
#define INT_MACS{lanes}(c, s, x) ((c) + (s) * (x))
#define INT_MACV{lanes}(c, x, y) ((c) + (x) * (y))
{clip}
#else
typedef struct {{ int32_t e[{lanes}]; }} n{lanes};
#define INT_EACH{lanes}(text) n{lanes} r; for (int i = 0; i < {lanes}; i++) r.e[i] = (text); return r;
#define INT_ZERO{lanes} INT_SPLAT{lanes}(0)
INLINE n{lanes} INT_SPLAT{lanes}(int32_t s) {{ INT_EACH{lanes}(s) }}
INLINE n{lanes} INT_LOAD{lanes}(const int32_t *p) {{ INT_EACH{lanes}(p[i]) }}
INLINE n{lanes} INT_RIGHT{lanes}(n{lanes} x, int by) {{ INT_EACH{lanes}(x.e[i] >> by) }}
INLINE n{lanes} INT_MUL{lanes}(n{lanes} x, n{lanes} y) {{ INT_EACH{lanes}(x.e[i] * y.e[i]) }}
INLINE n{lanes} INT_SCALE{lanes}(n{lanes} x, int32_t s) {{ INT_EACH{lanes}(x.e[i] * s) }}
INLINE n{lanes} INT_ADDV{lanes}(n{lanes} x, n{lanes} y) {{ INT_EACH{lanes}(x.e[i] + y.e[i]) }}
INLINE n{lanes} INT_SUBV{lanes}(n{lanes} x, n{lanes} y) {{ INT_EACH{lanes}(x.e[i] - y.e[i]) }}
INLINE n{lanes} INT_SHIFTED{lanes}(n{lanes} x, int32_t s) {{ INT_EACH{lanes}(x.e[i] + s) }}
INLINE n{lanes} INT_MACS{lanes}(n{lanes} c, int32_t s, n{lanes} x) {{ INT_EACH{lanes}(c.e[i] + s * x.e[i]) }}
INLINE n{lanes} INT_MACV{lanes}(n{lanes} c, n{lanes} x, n{lanes} y) {{ INT_EACH{lanes}(c.e[i] + x.e[i] * y.e[i]) }}
INLINE n{lanes} INT_CLIP{lanes}(n{lanes} x, int32_t low, int32_t high) {{
  INT_EACH{lanes}(x.e[i] < low ? low : x.e[i] > high ? high : x.e[i])
}}
#endif
"""

_CLIP = """INLINE n{lanes} INT_CLIP{lanes}(n{lanes} x, int32_t low, int32_t high) {{
  n{lanes} under = x < low;
  x = (x & ~under) | (low & under);
  n{lanes} over = x > high;
  return (x & ~over) | (high & over);
}}"""
_CLIPS = {
    ("avx512", 16): """INLINE n16 INT_CLIP16(n16 x, int32_t low, int32_t high) {
  return (n16)_mm512_min_epi32(_mm512_max_epi32((__m512i)x, _mm512_set1_epi32(low)), _mm512_set1_epi32(high));
}""",
    ("avx2", 8): """INLINE n8 INT_CLIP8(n8 x, int32_t low, int32_t high) {
  return (n8)_mm256_min_epi32(_mm256_max_epi32((__m256i)x, _mm256_set1_epi32(low)), _mm256_set1_epi32(high));
}""",
    ("wasm", 4): """INLINE n4 INT_CLIP4(n4 x, int32_t low, int32_t high) {
  return (n4)wasm_i32x4_min(wasm_i32x4_max((v128_t)x, wasm_i32x4_splat(low)), wasm_i32x4_splat(high));
}""",
    ("neon", 4): """INLINE n4 INT_CLIP4(n4 x, int32_t low, int32_t high) {
  return (n4)vminq_s32(vmaxq_s32((int32x4_t)x, vdupq_n_s32(low)), vdupq_n_s32(high));
}""",
}

_STORED = """
/* {kind} in memory, 32 bits in vectors of {lanes} */
#if defined(__GNUC__)
typedef {kind} {kind}_{lanes} __attribute__((vector_size({bytes}), aligned({size}), may_alias));
{moves}
INLINE n{lanes} WIDEN{lanes}_{kind}_PART(const {kind} *p, int n) {{
  {kind}_{lanes} part = {{0}};
  COPY(&part, p, {size} * (unsigned)n);
  return __builtin_convertvector(part, n{lanes});
}}
INLINE void NARROW{lanes}_{kind}_PART({kind} *p, n{lanes} x, int n) {{
  {kind}_{lanes} part = __builtin_convertvector(x, {kind}_{lanes});
  COPY(p, &part, {size} * (unsigned)n);
}}
INLINE n{lanes} INT_GATHER{lanes}_{kind}(const {kind} *p, int stride) {{
  n{lanes} x;
  for (int i = 0; i < {lanes}; i++) x[i] = p[i * stride];
  return x;
}}
INLINE void INT_SCATTER{lanes}_{kind}({kind} *p, int stride, n{lanes} x, int n) {{
  for (int i = 0; i < n; i++) p[i * stride] = ({kind})x[i];
}}
#else
INLINE n{lanes} INT_GATHER{lanes}_{kind}(const {kind} *p, int stride) {{ INT_EACH{lanes}(p[i * stride]) }}
INLINE n{lanes} WIDEN{lanes}_{kind}_PART(const {kind} *p, int n) {{ INT_EACH{lanes}(i < n ? p[i] : 0) }}
INLINE n{lanes} WIDEN{lanes}_{kind}(const {kind} *p) {{ INT_EACH{lanes}(p[i]) }}
INLINE void INT_SCATTER{lanes}_{kind}({kind} *p, int stride, n{lanes} x, int n) {{
  for (int i = 0; i < n; i++) p[i * stride] = ({kind})x.e[i];
}}
INLINE void NARROW{lanes}_{kind}_PART({kind} *p, n{lanes} x, int n) {{ INT_SCATTER{lanes}_{kind}(p, 1, x, n); }}
INLINE void NARROW{lanes}_{kind}({kind} *p, n{lanes} x) {{ INT_SCATTER{lanes}_{kind}(p, 1, x, {lanes}); }}
#endif
"""

_MOVES = """#define WIDEN{lanes}_{kind}(p) __builtin_convertvector(*(const {kind}_{lanes} *)(p), n{lanes})
#define NARROW{lanes}_{kind}(p, x) (*({kind}_{lanes} *)(p) = __builtin_convertvector((x), {kind}_{lanes}))"""
_HALF = "_mm_packs_epi32(_mm256_castsi256_si128((__m256i)(x)), _mm256_extracti128_si256((__m256i)(x), 1))"
#: (instruction set, lanes, type in memory) -> how to read it, how to write it. gcc 12 goes one by one where it is left to it.
_FAST_MOVES = {
    ("avx512", 16, "uint8_t"): (
        "_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))",
        "_mm_storeu_si128((__m128i *)(p), _mm512_cvtepi32_epi8((__m512i)(x)))",
    ),
    ("avx512", 16, "int8_t"): (
        "_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p)))",
        "_mm_storeu_si128((__m128i *)(p), _mm512_cvtepi32_epi8((__m512i)(x)))",
    ),
    ("avx512", 16, "int16_t"): (
        "_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(p)))",
        "_mm256_storeu_si256((__m256i *)(p), _mm512_cvtepi32_epi16((__m512i)(x)))",
    ),
    ("avx512", 8, "uint8_t"): (
        "_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))",
        "_mm_storel_epi64((__m128i *)(p), _mm256_cvtepi32_epi8((__m256i)(x)))",
    ),
    ("avx2", 8, "uint8_t"): (
        "_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))",
        f"_mm_storel_epi64((__m128i *)(p), _mm_packus_epi16({_HALF}, {_HALF}))",
    ),
    ("avx2", 8, "int8_t"): (
        "_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p)))",
        f"_mm_storel_epi64((__m128i *)(p), _mm_packs_epi16({_HALF}, {_HALF}))",
    ),
    ("avx2", 8, "int16_t"): ("_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(p)))", f"_mm_storeu_si128((__m128i *)(p), {_HALF})"),
}

#: Instruction set -> sums of products of groups: of four bytes, or of two numbers of 16 bits with weights widened on the way.
_GROUPS = {
    "avx512vnni": """
typedef __m512i group4_16;
typedef __m512i group2_16;
#define GROUP4_LOAD16(p) _mm512_loadu_si512((const void *)(p))
#if defined(__clang__)
#define GROUP4_UNSIGNED16(c, a, w) ((n16)_mm512_dpbusd_epi32((__m512i)(c), _mm512_set1_epi32(a), (w)))
#else /* gcc 12 copies the sums about when it is given the intrinsic */
INLINE n16 GROUP4_UNSIGNED16(n16 c, int32_t a, __m512i w) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(_mm512_set1_epi32(a)), "v"(w));
  return c;
}
#endif
#define GROUP2_LOAD16(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(p)))
#if defined(__clang__)
#define GROUP2_SIGNED16(c, a, w) ((n16)_mm512_dpwssd_epi32((__m512i)(c), _mm512_set1_epi32(a), (w)))
#else
INLINE n16 GROUP2_SIGNED16(n16 c, int32_t a, __m512i w) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(c) : "v"(_mm512_set1_epi32(a)), "v"(w));
  return c;
}
#endif
/* Four rows of sixteen sums become bytes at once: 16-bit numbers, multiplied and rounded by one instruction. */
#define SHORT16(m) _mm512_packs_epi32((m), (m))
#define TURN16 _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
INLINE void STORE4(uint8_t *p0, uint8_t *p1, uint8_t *p2, uint8_t *p3, __m512i q, int low, int high) {
  if (low > 0) q = _mm512_max_epu8(q, _mm512_set1_epi8((char)low));
  if (high < 255) q = _mm512_min_epu8(q, _mm512_set1_epi8((char)high));
  q = _mm512_permutexvar_epi32(TURN16, q);
  _mm_storeu_si128((__m128i *)p0, _mm512_castsi512_si128(q));
  _mm_storeu_si128((__m128i *)p1, _mm512_extracti32x4_epi32(q, 1));
  _mm_storeu_si128((__m128i *)p2, _mm512_extracti32x4_epi32(q, 2));
  _mm_storeu_si128((__m128i *)p3, _mm512_extracti32x4_epi32(q, 3));
}
INLINE void REQUANTISE4(uint8_t *p0, uint8_t *p1, uint8_t *p2, uint8_t *p3, __m512i c0, __m512i c1, __m512i c2, __m512i c3,
                        unsigned before, __m512i m, int zero, int low, int high) {
  __m512i s = _mm512_packs_epi32(_mm512_srai_epi32(c0, before), _mm512_srai_epi32(c1, before));
  __m512i t = _mm512_packs_epi32(_mm512_srai_epi32(c2, before), _mm512_srai_epi32(c3, before));
  s = _mm512_mulhrs_epi16(s, m), t = _mm512_mulhrs_epi16(t, m);
  if (zero) s = _mm512_adds_epi16(s, _mm512_set1_epi16((short)zero)), t = _mm512_adds_epi16(t, _mm512_set1_epi16((short)zero));
  STORE4(p0, p1, p2, p3, _mm512_packus_epi16(s, t), low, high);
}
INLINE void REQUANTISE4_ONTO(uint8_t *p0, uint8_t *p1, uint8_t *p2, uint8_t *p3, __m512i c0, __m512i c1, __m512i c2, __m512i c3,
                             unsigned before, __m512i m, int zero, int low, int high) {
  __m512i old = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p0));
  old = _mm512_inserti32x4(old, _mm_loadu_si128((const __m128i *)p1), 1);
  old = _mm512_inserti32x4(old, _mm_loadu_si128((const __m128i *)p2), 2);
  old = _mm512_permutexvar_epi32(TURN16, _mm512_inserti32x4(old, _mm_loadu_si128((const __m128i *)p3), 3));
  __m512i s = _mm512_packs_epi32(_mm512_srai_epi32(c0, before), _mm512_srai_epi32(c1, before));
  __m512i t = _mm512_packs_epi32(_mm512_srai_epi32(c2, before), _mm512_srai_epi32(c3, before));
  s = _mm512_adds_epi16(_mm512_mulhrs_epi16(s, m), _mm512_unpacklo_epi8(old, _mm512_setzero_si512()));
  t = _mm512_adds_epi16(_mm512_mulhrs_epi16(t, m), _mm512_unpackhi_epi8(old, _mm512_setzero_si512()));
  if (zero) s = _mm512_adds_epi16(s, _mm512_set1_epi16((short)zero)), t = _mm512_adds_epi16(t, _mm512_set1_epi16((short)zero));
  STORE4(p0, p1, p2, p3, _mm512_packus_epi16(s, t), low, high);
}
""",
    "avx512": """
typedef __m512i group2_16;
#define GROUP2_LOAD16(p) _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(p)))
#define GROUP2_SIGNED16(c, a, w) ((n16)_mm512_add_epi32((__m512i)(c), _mm512_madd_epi16(_mm512_set1_epi32(a), (w))))
""",
    "avx2": """
typedef __m256i group2_8;
#define GROUP2_LOAD8(p) _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(p)))
#define GROUP2_SIGNED8(c, a, w) ((n8)_mm256_add_epi32((__m256i)(c), _mm256_madd_epi16(_mm256_set1_epi32(a), (w))))
""",
    "sse2": """
typedef __m128i group2_4;
INLINE __m128i GROUP2_LOAD4(const int8_t *p) {
  __m128i w = _mm_loadl_epi64((const __m128i *)p);
  return _mm_srai_epi16(_mm_unpacklo_epi8(w, w), 8);
}
#define GROUP2_SIGNED4(c, a, w) ((n4)_mm_add_epi32((__m128i)(c), _mm_madd_epi16(_mm_set1_epi32(a), (w))))
""",
    "wasm": """
typedef v128_t group2_4;
#define GROUP2_LOAD4(p) wasm_i16x8_load8x8((const void *)(p))
#define GROUP2_SIGNED4(c, a, w) ((n4)wasm_i32x4_add((v128_t)(c), wasm_i32x4_dot_i16x8(wasm_i32x4_splat(a), (w))))
""",
    "neon": """
typedef int16x8_t group2_4;
#define GROUP2_LOAD4(p) vmovl_s8(vld1_s8(p))
INLINE n4 GROUP2_SIGNED4(n4 c, int32_t a, int16x8_t w) {
  int16x8_t x = vreinterpretq_s16_s32(vdupq_n_s32(a));
  int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(w)), high = vmull_s16(vget_high_s16(x), vget_high_s16(w));
  return (n4)vaddq_s32((int32x4_t)c, vpaddq_s32(low, high));
}
""",
}
_HEADERS = {
    "avx512vnni": "immintrin.h",
    "avx512": "immintrin.h",
    "avx2": "immintrin.h",
    "sse2": "emmintrin.h",
    "wasm": "wasm_simd128.h",
    "neon": "arm_neon.h",
}
#: An instruction set that another one holds as a whole.
_BASES = {"amx": "avx512vnni"}
_SIZES = {"uint8_t": 1, "int8_t": 1, "int16_t": 2, "int32_t": 4}


def integer_preamble(isa: str, lanes: list[int]) -> str:
    """Give the types and operations for vectors of these many lanes on an instruction set."""
    base = _BASES.get(isa, isa)
    clips = "avx512" if base.startswith("avx512") else base
    parts = [f"#include <{_HEADERS[base]}>\n" if base in _HEADERS else "", _SCALAR]
    for count in lanes:
        if count == 1:
            continue
        clip = _CLIPS.get((clips, count), _CLIP.format(lanes=count))
        parts.append(_VECTOR.format(lanes=count, bytes=4 * count, clip=clip))
        for kind, size in _SIZES.items():
            fast = _FAST_MOVES.get((clips, count, kind))
            moves = _MOVES.format(kind=kind, lanes=count)
            if fast is not None:
                read, write = fast
                moves = f"#define WIDEN{count}_{kind}(p) ((n{count}){read})\n#define NARROW{count}_{kind}(p, x) {write}"
            parts.append(_STORED.format(kind=kind, lanes=count, size=size, bytes=size * count, moves=moves))
    if isa_named(isa).lanes in lanes:
        parts.append(_GROUPS.get(base, ""))
    return "".join(parts)
