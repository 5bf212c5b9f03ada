/* Choosing the shape of the learned function, building both structures, and going to the path that the processor has. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "paths.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define FANOUT 17
#define NODE 16
#define SMALL 16            /* fewer keys than this are counted one by one */
#define MOST_CELLS 4096     /* knots of stage 1: 32 KiB of the second cache */
#define SAMPLE 65536        /* keys that the plan looks at */
#define CHUNK 1024          /* of them, neighbours */

/* Asked of the processor itself, for not every compiler's own question is answered everywhere (Zig's says no to all). */
int tacit_index_isa(void)
{
#if defined(__x86_64__)
    const unsigned with_vectors = 1u << 27 | 1u << 28 | 1u << 23;                    /* OSXSAVE, AVX, POPCNT */
    const unsigned avx2 = 1u << 3 | 1u << 5 | 1u << 8;                               /* BMI, AVX2, BMI2 */
    const unsigned avx512 = avx2 | 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31; /* F, DQ, CD, BW, VL */
    unsigned a, b, c, d, kept, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & with_vectors) != with_vectors) return TACIT_SCALAR;
    __asm__("xgetbv" : "=a"(kept), "=d"(high) : "c"(0)); /* which registers the system keeps for a process */
    if ((kept & 6) != 6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return TACIT_SCALAR;
    if ((kept & 0xE6) == 0xE6 && (b & avx512) == avx512) return TACIT_AVX512;
    if ((b & avx2) == avx2) return TACIT_AVX2;
#endif
    return TACIT_SCALAR;
}

static const struct paths *paths_named(int isa)
{
    int best = tacit_index_isa();
    if (isa < 0 || isa > best) isa = best;
#if defined(__x86_64__)
    if (isa == TACIT_AVX512) return &tacit_paths_avx512;
    if (isa == TACIT_AVX2) return &tacit_paths_avx2;
#endif
    return &tacit_paths_scalar;
}

/* Asking the processor takes as long as some of a lookup, so the best path is remembered; threads that find it at once find the same. */
static const struct paths *paths_of(int isa)
{
    static const struct paths *best;
    const struct paths *found;
    if (isa != TACIT_BEST) return paths_named(isa);
    found = __atomic_load_n(&best, __ATOMIC_RELAXED);
    if (!found) __atomic_store_n(&best, found = paths_named(isa), __ATOMIC_RELAXED);
    return found;
}

/* --- the plan ------------------------------------------------------------------------------------------------------ */

static double warped(uint32_t warp, uint64_t distance)
{
    const int64_t one = 0x3FF0000000000000;
    double x = (double)distance;
    int64_t bits;
    if (warp == TACIT_LINEAR) return x;
    memcpy(&bits, &x, 8);
    return (double)(bits < one ? one : bits);
}

static double value_of(const tacit_pieces *index, uint64_t key)
{
    uint64_t clamped = key < index->low ? index->low : key > index->high ? index->high : key;
    double value = (warped(index->warp, clamped - index->low) - index->origin) * index->scale, most = (double)index->cells;
    return value < 0.0 ? 0.0 : value > most ? most : value;
}

/* Knot j: the share of keys whose value is below j, in pieces; a multiple of 1/256, so that sums of slopes are exact. */
static void fit_knots(const tacit_pieces *index, const uint64_t *keys, uint64_t count, double *knots)
{
    uint64_t from = 0;
    knots[0] = 0.0;
    for (uint32_t j = 1; j < index->cells; j++) {
        uint64_t length = count - from;
        while (length) {
            uint64_t half = length / 2;
            if (value_of(index, keys[from + half]) < (double)j) from += half + 1, length -= half + 1;
            else length = half;
        }
        knots[j] = floor((double)from / (double)count * (double)index->pieces * 256.0) / 256.0;
    }
    knots[index->cells] = (double)index->pieces;
}

static void set_shape(tacit_pieces *index, uint64_t low, uint64_t high, uint64_t above_low, uint32_t warp, uint32_t cells)
{
    index->low = low;
    index->high = high;
    index->warp = warp;
    index->cells = cells;
    index->origin = warp == TACIT_LINEAR ? 0.0 : warped(warp, above_low - low);
    double width = warped(warp, high - low) - index->origin;
    index->scale = width > 0.0 ? (double)cells / width : 0.0;
}

/* Lines of the cache, as a logarithm, that a lookup of a sampled key would miss its place by. */
static double cost_of(const tacit_pieces *index, const double *knots, uint64_t from, uint64_t to)
{
    double sum = 0.0;
    int32_t place[CHUNK], last = (int32_t)index->pieces - 1;
    float part[CHUNK];
    const uint64_t many = to - from;
    for (uint64_t i = 0; i < many; i++) {
        double value = value_of(index, index->keys[from + i]);
        int32_t cell = (int32_t)value;
        cell = cell > (int32_t)index->cells - 1 ? (int32_t)index->cells - 1 : cell;
        double at = knots[cell] + (knots[cell + 1] - knots[cell]) * (value - cell);
        place[i] = (int32_t)at > last ? last : (int32_t)at;
        part[i] = (float)(at - place[i]);
    }
    for (uint64_t begin = 0, end; begin < many; begin = end) {
        for (end = begin + 1; end < many && place[end] == place[begin]; end++) {}
        for (uint64_t i = begin; i < end; i++) {
            double missed = fabs((double)begin + (double)(end - begin) * part[i] - (double)i);
            sum += missed < 8.0 ? missed / 16.0 : log2(missed) - 2.5;
        }
    }
    return sum;
}

void tacit_pieces_plan(tacit_pieces *index, const uint64_t *keys, uint64_t count, uint32_t keys_per_piece)
{
    static const uint32_t sizes[] = {1, 8, 16, 64, 256, 1024, MOST_CELLS};
    memset(index, 0, sizeof *index);
    index->keys = keys;
    index->count = count;
    index->pieces = (uint32_t)(count / (keys_per_piece ? keys_per_piece : 8)) + 1;
    index->cells = 1;
    index->layer = 1;
    uint64_t room = count < SAMPLE ? count : SAMPLE, *sample = malloc(room * sizeof *sample + 8);
    double *knots = malloc((MOST_CELLS + 1) * sizeof *knots), best = INFINITY;
    if (sample && knots && count >= SMALL) {
        for (uint64_t i = 0; i < room; i++) sample[i] = keys[count < SAMPLE ? i : (uint64_t)((double)i * ((double)count / SAMPLE))];
        uint64_t chunk = count < CHUNK ? count : CHUNK, chunks = count / CHUNK / 16;
        chunks = chunks < 1 ? 1 : chunks > SAMPLE / CHUNK ? SAMPLE / CHUNK : chunks;
        tacit_pieces found = *index, tried = *index;
        for (int trim = 0; trim < 2; trim++) {
            uint64_t off = trim ? count / 1000 + 1 : 0, low = keys[off], high = keys[count - 1 - off];
            uint64_t next = off;
            while (next < count - 1 && keys[next] == low && next - off < 64) next++;
            for (int warp = TACIT_LINEAR; warp <= TACIT_LOGARITHM; warp++)
                for (unsigned k = 0; k < sizeof sizes / sizeof *sizes; k++) {
                    if (sizes[k] > 16 && sizes[k] * 16 > count) continue;
                    set_shape(&tried, low, high, keys[next] > high ? high : keys[next], (uint32_t)warp, sizes[k]);
                    fit_knots(&tried, sample, room, knots);
                    double cost = 0.0;
                    for (uint64_t c = 0; c < chunks; c++) {
                        uint64_t from = chunks < 2 ? 0 : (uint64_t)((double)(count - chunk) / (double)(chunks - 1) * (double)c);
                        cost += cost_of(&tried, knots, from, from + chunk);
                    }
                    cost = cost / (double)(chunks * chunk) + 0.004 * k + 0.01 * warp + 0.01 * trim;
                    if (cost < best) best = cost, found = tried;
                }
        }
        *index = found;
    } else if (count) {
        set_shape(index, keys[0], keys[count - 1], keys[0], TACIT_LINEAR, 1);
    }
    index->layer = index->cells <= TACIT_LAYER;
    free(sample);
    free(knots);
}

void tacit_pieces_fit(tacit_pieces *index, double *knots, uint32_t *starts, int isa)
{
    fit_knots(index, index->keys, index->count ? index->count : 1, knots);
    index->knots = knots;
    paths_of(isa)->fit_starts(index, starts);
    index->starts = starts;
}

/* --- lookups ------------------------------------------------------------------------------------------------------- */

static int64_t count_small(const uint64_t *keys, uint64_t count, uint64_t query, int right)
{
    int64_t found = 0;
    for (uint64_t i = 0; i < count; i++) found += right ? keys[i] <= query : keys[i] < query;
    return found;
}

/* The paths look for query + 1 on the right side; the greatest query has none, and all keys are at most it. */
static void mend_greatest(const uint64_t *queries, uint64_t many, uint64_t count, int64_t *places)
{
    for (uint64_t i = 0; i < many; i++) places[i] = queries[i] == UINT64_MAX ? (int64_t)count : places[i];
}

void tacit_pieces_lookup(const tacit_pieces *index, const uint64_t *queries, uint64_t many, int right, int isa, int64_t *places)
{
    if (index->count < SMALL) {
        for (uint64_t i = 0; i < many; i++) places[i] = count_small(index->keys, index->count, queries[i], right);
        return;
    }
    paths_of(isa)->pieces_lookup(index, queries, many, right, places);
    if (right) mend_greatest(queries, many, index->count, places);
}

int64_t tacit_pieces_find(const tacit_pieces *index, uint64_t query, int right, int isa)
{
    if (index->count < SMALL) return count_small(index->keys, index->count, query, right);
    if (right && query == UINT64_MAX) return (int64_t)index->count;
    return paths_of(isa)->pieces_find(index, query + (right != 0));
}

/* --- the tree ------------------------------------------------------------------------------------------------------ */

static uint32_t lead_of(const uint64_t *keys)
{
    return (uint32_t)((uintptr_t)keys / 8 % 8);
}

/* How many nodes each level has, the lowest first; gives the number of levels. */
static uint32_t level_sizes(uint64_t count, uint64_t *nodes)
{
    uint64_t below = (count + 7 + NODE - 1) / NODE;
    uint32_t levels = 0;
    while (below > 1) {
        below = (below + FANOUT - 1) / FANOUT;
        nodes[levels++] = below;
    }
    return levels;
}

uint64_t tacit_tree_size(uint64_t count)
{
    uint64_t nodes[16], sum = 0;
    for (uint32_t level = level_sizes(count, nodes); level-- > 0;) sum += nodes[level];
    return sum * NODE;
}

void tacit_tree_build(tacit_tree *tree, const uint64_t *keys, uint64_t count, uint64_t *nodes)
{
    uint64_t sizes[16], at = 0, leaves = 1;
    memset(tree, 0, sizeof *tree);
    tree->keys = keys;
    tree->count = count;
    tree->nodes = nodes;
    tree->lead = lead_of(keys);
    tree->levels = level_sizes(count, sizes);
    for (uint32_t level = 0; level < tree->levels; level++) {
        tree->level[level] = at;
        at += sizes[tree->levels - 1 - level] * NODE;
    }
    for (uint32_t level = tree->levels; level-- > 0; leaves *= FANOUT) {
        uint64_t many = sizes[tree->levels - 1 - level];
        for (uint64_t node = 0; node < many; node++)
            for (uint64_t i = 0; i < NODE; i++) {
                uint64_t leaf = (node * FANOUT + i + 1) * leaves, key = leaf * NODE - tree->lead;
                nodes[tree->level[level] + node * NODE + i] = key < count ? keys[key] : UINT64_MAX;
            }
    }
}

void tacit_tree_lookup(const tacit_tree *tree, const uint64_t *queries, uint64_t many, int right, int isa, int64_t *places)
{
    if (tree->count < SMALL) {
        for (uint64_t i = 0; i < many; i++) places[i] = count_small(tree->keys, tree->count, queries[i], right);
        return;
    }
    paths_of(isa)->tree_lookup(tree, queries, many, right, places);
    if (right) mend_greatest(queries, many, tree->count, places);
}

int64_t tacit_tree_find(const tacit_tree *tree, uint64_t query, int right, int isa)
{
    if (tree->count < SMALL) return count_small(tree->keys, tree->count, query, right);
    if (right && query == UINT64_MAX) return (int64_t)tree->count;
    return paths_of(isa)->tree_find(tree, query + (right != 0));
}

/* --- inserts ------------------------------------------------------------------------------------------------------- */

void tacit_merge(const uint64_t *a, uint64_t many_a, const uint64_t *b, uint64_t many_b, uint64_t *merged)
{
    uint64_t i = 0, j = 0;
    while (i < many_a && j < many_b) {
        int take = b[j] < a[i];
        *merged++ = take ? b[j] : a[i];
        j += take;
        i += !take;
    }
    memcpy(merged, a + i, (many_a - i) * sizeof *a);
    memcpy(merged + (many_a - i), b + j, (many_b - j) * sizeof *b);
}
