/* Strings whose first bytes are the same: the rest of the search compares them whole. */
#include <string.h>

#include "index.h"

static int less_text(const uint8_t *a, int64_t many_a, const uint8_t *b, int64_t many_b, int or_equal)
{
    int order = memcmp(a, b, (size_t)(many_a < many_b ? many_a : many_b));
    if (order) return order < 0;
    return or_equal ? many_a <= many_b : many_a < many_b;
}

void tacit_texts_bisect(
    const uint8_t *keys, const int64_t *key_ends, const uint8_t *queries, const int64_t *query_ends, uint64_t many, int right,
    const int64_t *last, int64_t *places)
{
    for (uint64_t i = 0; i < many; i++) {
        const uint8_t *query = queries + query_ends[i];
        int64_t from = places[i], to = last[i], length = query_ends[i + 1] - query_ends[i];
        while (from < to) {
            int64_t middle = from + (to - from) / 2, begin = key_ends[middle];
            if (less_text(keys + begin, key_ends[middle + 1] - begin, query, length, right)) from = middle + 1;
            else to = middle;
        }
        places[i] = from;
    }
}
