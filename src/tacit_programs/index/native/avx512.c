/* AVX-512: 8 keys in a register. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define PATHS tacit_paths_avx512
#if defined(__clang__)
#define USES __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512cd,bmi,bmi2,popcnt")))
#else /* gcc makes vectors of half the width unless it is told */
#define USES __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx512cd,bmi,bmi2,popcnt,prefer-vector-width=512")))
#endif

static USES inline unsigned below(const uint64_t *block, uint64_t query)
{
    __m512i wanted = _mm512_set1_epi64((long long)query);
    unsigned low = _mm512_cmplt_epu64_mask(_mm512_loadu_si512(block), wanted);
    unsigned high = _mm512_cmplt_epu64_mask(_mm512_loadu_si512(block + 8), wanted);
    return (unsigned)__builtin_popcount(low | high << 8);
}

#include "path.h"
#endif
