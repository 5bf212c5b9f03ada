"""The head of every generated C file: vector types and the operations on them, for compilers with and without vector extensions."""

from __future__ import annotations

_TOP = """
#include <stdint.h>

#if defined(__GNUC__)
#define ALIAS __attribute__((may_alias))
#if defined(__clang__)
#define KERNEL static __attribute__((noinline))
#else
/* ivopts of gcc 12 may write a store as address 0 plus a number; its search for pure functions takes that for a fault that ends the
   function, and drops calls of what does nothing but fault: so it must not look into kernels */
#define KERNEL static __attribute__((noipa))
#endif
#define INLINE static inline __attribute__((always_inline, unused))
#define COPY(to, from, bytes) __builtin_memcpy((to), (from), (bytes))
#define PREFETCH(p) __builtin_prefetch((p), 0, 2)
#else
#define ALIAS
#define KERNEL static
#define INLINE static inline
#define PREFETCH(p)
static void COPY(void *to, const void *from, unsigned long bytes) {
  for (unsigned long i = 0; i < bytes; i++) ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
}
#endif

/* Nothing here branches on data. Some machines have no conditional move, and a compiler that sees through a mask writes a branch. */
#if defined(__GNUC__) && !defined(__x86_64__) && !defined(__i386__) && !defined(__aarch64__) && !defined(__wasm__)
#define HIDE(mask) __asm__("" : "+r"(mask))
#else
#define HIDE(mask) (void)(mask)
#endif
INLINE int32_t BITS(float x) {
  int32_t bits;
  COPY(&bits, &x, 4);
  return bits;
}
INLINE float REAL(int32_t bits) {
  float x;
  COPY(&x, &bits, 4);
  return x;
}
/* x, but 0 for what is not a number */
INLINE float NUMBER(float x) {
  int32_t bits = BITS(x), none = (0x7f800000 - (bits & 0x7fffffff)) >> 31;
  HIDE(none);
  return REAL(bits & ~none);
}
"""

_FLOAT_SCALAR = """
typedef float ALIAS real;
#define SCALE1(c, s) ((c) * (s))
#define ADD1(c, d) ((c) + (d))
#define SUB1(c, d) ((c) - (d))
#if defined(__GNUC__) && defined(__riscv_flen)
#define RELU1(c) __builtin_fmaxf((c), 0.0f) /* one instruction; gcc would branch */
#else
#define RELU1(c) ((c) > 0.0f ? (c) : 0.0f)
#endif
"""

_FLOAT_VECTOR = """
/* {lanes} float32 numbers at once */
#if defined(__GNUC__)
typedef float v{lanes} __attribute__((vector_size({bytes}), aligned(4), may_alias));
typedef int32_t m{lanes} __attribute__((vector_size({bytes}), aligned(4), may_alias));
#define ZERO{lanes} ((v{lanes}){{0}})
#define LOAD{lanes}(p) (*(const v{lanes} *)(p))
#define STORE{lanes}(p, c) (*(v{lanes} *)(p) = (c))
#define SPLAT{lanes}(s) ((v{lanes}){{0}} + (s))
#define ADD{lanes}(c, d) ((c) + (d))
#define SUB{lanes}(c, d) ((c) - (d))
#define SCALE{lanes}(c, s) ((c) * (s))
#define MULS{lanes}(s, w) ((s) * (w))
#define MULV{lanes}(x, w) ((x) * (w))
#define MACS{lanes}(c, s, w) ((c) + (s) * (w))
#define MACV{lanes}(c, x, w) ((c) + (x) * (w))
#define RELU{lanes}(c) ((v{lanes})((m{lanes})(c) & ((c) > (v{lanes}){{0}})))
INLINE v{lanes} LOAD{lanes}_PART(const real *p, int n) {{
  v{lanes} c = {{0}};
  COPY(&c, p, 4 * (unsigned)n);
  return c;
}}
INLINE v{lanes} GATHER{lanes}(const real *p, int stride) {{
  v{lanes} c;
  for (int i = 0; i < {lanes}; i++) c[i] = p[i * stride];
  return c;
}}
INLINE void STORE{lanes}_PART(real *p, v{lanes} c, int n) {{ COPY(p, &c, 4 * (unsigned)n); }}
INLINE void SCATTER{lanes}(real *p, int stride, v{lanes} c, int n) {{
  for (int i = 0; i < n; i++) p[i * stride] = c[i];
}}
#else
typedef struct {{ float e[{lanes}]; }} v{lanes};
#define EACH{lanes}(text) v{lanes} r; for (int i = 0; i < {lanes}; i++) r.e[i] = (text); return r;
#define ZERO{lanes} SPLAT{lanes}(0.0f)
INLINE v{lanes} LOAD{lanes}(const real *p) {{ EACH{lanes}(p[i]) }}
INLINE v{lanes} SPLAT{lanes}(float s) {{ EACH{lanes}(s) }}
INLINE v{lanes} ADD{lanes}(v{lanes} c, v{lanes} d) {{ EACH{lanes}(c.e[i] + d.e[i]) }}
INLINE v{lanes} SUB{lanes}(v{lanes} c, v{lanes} d) {{ EACH{lanes}(c.e[i] - d.e[i]) }}
INLINE v{lanes} SCALE{lanes}(v{lanes} c, float s) {{ EACH{lanes}(c.e[i] * s) }}
INLINE v{lanes} MULS{lanes}(float s, v{lanes} w) {{ EACH{lanes}(s * w.e[i]) }}
INLINE v{lanes} MULV{lanes}(v{lanes} x, v{lanes} w) {{ EACH{lanes}(x.e[i] * w.e[i]) }}
INLINE v{lanes} MACS{lanes}(v{lanes} c, float s, v{lanes} w) {{ EACH{lanes}(c.e[i] + s * w.e[i]) }}
INLINE v{lanes} MACV{lanes}(v{lanes} c, v{lanes} x, v{lanes} w) {{ EACH{lanes}(c.e[i] + x.e[i] * w.e[i]) }}
INLINE v{lanes} RELU{lanes}(v{lanes} c) {{ EACH{lanes}(c.e[i] > 0.0f ? c.e[i] : 0.0f) }}
INLINE v{lanes} GATHER{lanes}(const real *p, int stride) {{ EACH{lanes}(p[i * stride]) }}
INLINE v{lanes} LOAD{lanes}_PART(const real *p, int n) {{ EACH{lanes}(i < n ? p[i] : 0.0f) }}
INLINE void STORE{lanes}_PART(real *p, v{lanes} c, int n) {{ for (int i = 0; i < n; i++) p[i] = c.e[i]; }}
INLINE void STORE{lanes}(real *p, v{lanes} c) {{ STORE{lanes}_PART(p, c, {lanes}); }}
INLINE void SCATTER{lanes}(real *p, int stride, v{lanes} c, int n) {{ for (int i = 0; i < n; i++) p[i * stride] = c.e[i]; }}
#endif
"""

#: Subnormal numbers slow a core down a hundredfold; while a network runs they are read and written as zero.
FLUSH = """
#if defined(__SSE__) && defined(__GNUC__)
#define FLUSH_BEGIN unsigned mode = __builtin_ia32_stmxcsr(); __builtin_ia32_ldmxcsr(mode | 0x8040u);
#define FLUSH_END __builtin_ia32_ldmxcsr(mode);
#elif defined(__aarch64__) && defined(__GNUC__)
#define FLUSH_BEGIN uint64_t mode; __asm__ volatile("mrs %0, fpcr" : "=r"(mode)); __asm__ volatile("msr fpcr, %0" : : "r"(mode | 1u << 24));
#define FLUSH_END __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#else
#define FLUSH_BEGIN
#define FLUSH_END
#endif
"""


def float_preamble(lanes: list[int]) -> str:
    """Give the types and operations for vectors of these many lanes."""
    parts = [_TOP, FLUSH, _FLOAT_SCALAR]
    parts += [_FLOAT_VECTOR.format(lanes=count, bytes=4 * count) for count in lanes if count > 1]
    return "".join(parts)


def top() -> str:
    """Give what both arithmetics need."""
    return _TOP + FLUSH


def weights_declaration(name: str, size: int) -> str:
    """Give the lines that put the file of weights into the program: `#embed`, or the assembler's ``.incbin``."""
    file = f"{name}_weights.bin"
    return f"""
/* {size} bytes of weights stand in {file}, in a section of read-only data. */
#if defined(TACIT_WEIGHTS_ELSEWHERE)
extern const unsigned char {name}_weights[];
#define weights {name}_weights
#elif defined(__has_embed)
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunknown-warning-option"
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif
static const unsigned char weights[] __attribute__((aligned(64))) = {{
#embed "{file}"
}};
#if defined(__clang__)
#pragma clang diagnostic pop
#endif
#elif defined(__GNUC__) && defined(__ELF__)
__asm__(".section .rodata.{name}_weights,\\"a\\",%progbits\\n.balign 64\\n.globl {name}_weights\\n"
        "{name}_weights:\\n.incbin \\"{file}\\"\\n.previous\\n");
extern const unsigned char {name}_weights[] __attribute__((visibility("hidden")));
#define weights {name}_weights
#else
#error "put {file} into the program as the array {name}_weights, 64-byte aligned, and define TACIT_WEIGHTS_ELSEWHERE"
#endif
"""
