/* AVX2: 4 keys in a register. It compares signed numbers, so the highest bit is turned. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

#define PATHS tacit_paths_avx2
#define USES __attribute__((target("avx2,bmi,bmi2,popcnt")))

static USES inline unsigned below(const uint64_t *block, uint64_t query)
{
    const __m256i turn = _mm256_set1_epi64x(INT64_MIN), wanted = _mm256_set1_epi64x((long long)(query ^ (1ull << 63)));
    unsigned less = 0;
    for (int i = 0; i < 16; i += 4) {
        __m256i four = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(block + i)), turn);
        less |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(wanted, four))) << i;
    }
    return (unsigned)__builtin_popcount(less);
}

#include "path.h"
#endif
