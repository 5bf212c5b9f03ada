/* The lookups, written once and compiled once for each instruction set.
 *
 * The including file defines PATHS, the name of the table at the end; USES, the attribute that allows the instructions; and
 * `static USES unsigned below(const uint64_t *block, uint64_t query)`: how many of 16 sorted keys are less than the query.
 * Everything else is plain C whose loops of fixed length the compiler turns into vectors, so that the paths can't disagree.
 */
#include <string.h>

#include "paths.h"

#define BLOCK 16  /* keys compared at once: two lines of the cache */
#define MANY 64   /* queries that go through a stage together: enough to hide a read from memory, few enough for the first cache */
#define CROWD 128 /* queries that go down the tree together: there is more to wait for at each level */
#define FLIGHT 8  /* groups in flight: a power of two, more than there are stages */

typedef struct {
    uint64_t query[MANY];
    uint32_t piece[MANY], first[MANY], last[MANY], block[MANY];
    float part[MANY];           /* where in its piece a query should be, 0 to 1 */
    uint32_t open[MANY], opens; /* queries whose answer is not in the block that was looked at */
} group;

/* Exact in integers: a uint64 is never made a double as it comes. */
static USES inline double distance(uint64_t query, uint64_t low, uint64_t high)
{
    query = query < low ? low : query;
    query = query > high ? high : query;
    return (double)(query - low);
}

/* The bits of a double, those of 1 at least, as a number: its logarithm, with straight lines between the powers of two. */
static USES inline double logarithm(double x)
{
    const int64_t one = 0x3FF0000000000000;
    int64_t bits;
    memcpy(&bits, &x, 8);
    return (double)(bits < one ? one : bits);
}

static USES inline double scaled(double x, double origin, double scale, double most)
{
    double value = (x - origin) * scale;
    value = value < 0.0 ? 0.0 : value;
    return value > most ? most : value;
}

/* A unit of the layer and its neighbour: relu(value - j) - relu(value - j - 1). */
static USES inline double unit(double value, double j)
{
    double u = value - j;
    u = u < 0.0 ? 0.0 : u;
    return u > 1.0 ? 1.0 : u;
}

/* The layer as the table of its knots. Whole units add up exactly and the rest are zeros, so the bits are those of the layer. */
static USES inline double table(const double *knots, int32_t cells, double value)
{
    int32_t cell = (int32_t)value;
    cell = cell > cells - 1 ? cells - 1 : cell;
    return knots[cell] + (knots[cell + 1] - knots[cell]) * (value - (double)cell);
}

/* Stage 1: the piece of each query of a group, and where in it. */
static USES void predict(const tacit_pieces *index, const uint64_t *query, uint32_t *restrict piece, float *restrict part)
{
    const uint64_t low = index->low, high = index->high;
    const double origin = index->origin, scale = index->scale, most = (double)index->cells;
    const int32_t cells = (int32_t)index->cells, last = (int32_t)index->pieces - 1;
    const double *knots = index->knots;
    double value[MANY], place[MANY];
    for (int i = 0; i < MANY; i++) value[i] = distance(query[i], low, high);
    if (index->warp == TACIT_LOGARITHM)
        for (int i = 0; i < MANY; i++) value[i] = logarithm(value[i]);
    for (int i = 0; i < MANY; i++) value[i] = scaled(value[i], origin, scale, most);
    if (index->layer) {
        for (int i = 0; i < MANY; i++) place[i] = 0.0;
        for (int32_t j = 0; j < cells; j++) {
            const double slope = knots[j + 1] - knots[j], at = (double)j;
            for (int i = 0; i < MANY; i++) place[i] += slope * unit(value[i], at);
        }
    } else {
        for (int i = 0; i < MANY; i++) place[i] = table(knots, cells, value[i]);
    }
    for (int i = 0; i < MANY; i++) {
        int32_t b = (int32_t)place[i];
        b = b > last ? last : b;
        piece[i] = (uint32_t)b;
        part[i] = (float)(place[i] - (double)b);
    }
}

/* The block of 16 keys to look at: two lines of the cache whose border is the nearest to the guess, within the keys. */
static USES inline uint32_t block_at(uint32_t first, uint32_t last, float part, uint32_t lead, uint32_t most)
{
    uint32_t guess = first + (uint32_t)(int32_t)((float)(int32_t)(last - first) * part);
    uint32_t border = (guess + lead + 4) & ~7u;
    uint32_t block = border < 8 + lead ? 0 : border - 8 - lead;
    return block > most ? most : block;
}

/* How many of keys[first] to keys[last - 1] are below the query, plus first. */
static USES inline uint32_t bisect(const uint64_t *keys, uint32_t first, uint32_t last, uint64_t query)
{
    for (uint32_t length = last - first; length;) {
        uint32_t half = length / 2, less = keys[first + half] < query;
        first = less ? first + half + 1 : first;
        length = less ? length - half - 1 : half;
    }
    return first;
}

static USES inline void fetch(const void *address)
{
    __builtin_prefetch(address, 0, 2); /* into the second cache: it takes more requests at once than the first */
}

static USES inline void fetch_block(const uint64_t *keys, uint32_t block)
{
    fetch(keys + block);
    fetch(keys + block + BLOCK - 1);
}

static USES void stage_predict(const tacit_pieces *index, group *g)
{
    predict(index, g->query, g->piece, g->part);
    for (int i = 0; i < MANY; i++) fetch(index->starts + g->piece[i]);
}

static USES void stage_bracket(const tacit_pieces *index, group *g, uint32_t lead)
{
    const uint32_t *starts = index->starts, most = (uint32_t)index->count - BLOCK;
    for (int i = 0; i < MANY; i++) {
        g->first[i] = starts[g->piece[i]];
        g->last[i] = starts[g->piece[i] + 1];
    }
    for (int i = 0; i < MANY; i++) g->block[i] = block_at(g->first[i], g->last[i], g->part[i], lead, most);
    for (int i = 0; i < MANY; i++) fetch_block(index->keys, g->block[i]);
}

/* Look at the block of query i; give 1 if the answer is not in it, with what is left of its bracket in `first` and `last`. */
static USES inline uint32_t look(const uint64_t *keys, group *g, int64_t *places, uint32_t i)
{
    uint32_t block = g->block[i], less = below(keys + block, g->query[i]);
    places[i] = (int64_t)block + less;
    uint32_t left = (less == 0) & (block > g->first[i]), right = (less == BLOCK) & (block + BLOCK < g->last[i]);
    g->last[i] = left ? block : g->last[i];
    g->first[i] = right ? block + BLOCK : g->first[i];
    return left | right;
}

static USES void stage_look(const tacit_pieces *index, group *g, int64_t *places)
{
    const uint32_t most = (uint32_t)index->count - BLOCK;
    g->opens = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        g->open[g->opens] = i;
        g->opens += look(index->keys, g, places, i);
    }
    for (uint32_t j = 0; j < g->opens; j++) {
        uint32_t i = g->open[j], block = g->block[i];
        if (g->last[i] == block) block = block < BLOCK ? 0 : block - BLOCK;
        else block = block + BLOCK > most ? most : block + BLOCK;
        g->block[i] = block;
        fetch_block(index->keys, block);
    }
}

static USES inline void fetch_middle(const uint64_t *keys, const group *g, uint32_t i)
{
    fetch(keys + (g->first[i] + (g->last[i] - g->first[i]) / 2));
}

static USES void stage_neighbour(const tacit_pieces *index, group *g, int64_t *places)
{
    uint32_t opens = 0;
    for (uint32_t j = 0; j < g->opens; j++) {
        uint32_t i = g->open[j];
        g->open[opens] = i;
        opens += look(index->keys, g, places, i);
        fetch_middle(index->keys, g, i);
    }
    g->opens = opens;
}

/* What is left is halved, a step of each query at a time, so that their reads go on together. */
static USES void stage_bisect(const tacit_pieces *index, group *g, int64_t *places)
{
    const uint64_t *keys = index->keys;
    while (g->opens) {
        uint32_t opens = 0;
        for (uint32_t j = 0; j < g->opens; j++) {
            uint32_t i = g->open[j], middle = g->first[i] + (g->last[i] - g->first[i]) / 2, less = keys[middle] < g->query[i];
            g->first[i] = less ? middle + 1 : g->first[i];
            g->last[i] = less ? g->last[i] : middle;
            places[i] = g->first[i];
            g->open[opens] = i;
            opens += g->first[i] < g->last[i];
            fetch_middle(keys, g, i);
        }
        g->opens = opens;
    }
}

/* Groups follow one another through five stages, so that each stage's reads were asked for while others worked. */
static USES void pieces_lookup(const tacit_pieces *index, const uint64_t *queries, uint64_t many, int right, int64_t *places)
{
    group flight[FLIGHT];
    int64_t rest[MANY], *out[FLIGHT];
    const uint64_t groups = (many + MANY - 1) / MANY, step = (uint64_t)(right != 0);
    const uint32_t lead = (uint32_t)((uintptr_t)index->keys / 8 % 8);
    for (uint64_t now = 0; now < groups + 4; now++) {
        if (now < groups) {
            group *g = flight + now % FLIGHT;
            uint64_t from = now * MANY;
            out[now % FLIGHT] = from + MANY <= many ? places + from : rest;
            for (uint64_t i = 0; i < MANY; i++) g->query[i] = (from + MANY <= many || from + i < many ? queries[from + i] : 0) + step;
            stage_predict(index, g);
        }
        if (now >= 1 && now - 1 < groups) stage_bracket(index, flight + (now - 1) % FLIGHT, lead);
        if (now >= 2 && now - 2 < groups) stage_look(index, flight + (now - 2) % FLIGHT, out[(now - 2) % FLIGHT]);
        if (now >= 3 && now - 3 < groups) stage_neighbour(index, flight + (now - 3) % FLIGHT, out[(now - 3) % FLIGHT]);
        if (now >= 4) stage_bisect(index, flight + (now - 4) % FLIGHT, out[(now - 4) % FLIGHT]);
    }
    if (many % MANY) memcpy(places + many / MANY * MANY, rest, many % MANY * sizeof *places);
}

static USES int64_t pieces_find(const tacit_pieces *index, uint64_t query)
{
    double value = distance(query, index->low, index->high), place = 0.0;
    if (index->warp == TACIT_LOGARITHM) value = logarithm(value);
    value = scaled(value, index->origin, index->scale, (double)index->cells);
    place = table(index->knots, (int32_t)index->cells, value);
    int32_t piece = (int32_t)place, last_piece = (int32_t)index->pieces - 1;
    piece = piece > last_piece ? last_piece : piece;
    const uint64_t *keys = index->keys;
    uint32_t first = index->starts[piece], last = index->starts[piece + 1];
    uint32_t block = block_at(first, last, (float)(place - (double)piece), (uint32_t)((uintptr_t)keys / 8 % 8), (uint32_t)index->count - BLOCK);
    fetch(keys + block + BLOCK - 1);
    uint32_t less = below(keys + block, query);
    if (less == 0 && block > first) return bisect(keys, first, block, query);
    if (less == BLOCK && block + BLOCK < last) return bisect(keys, block + BLOCK, last, query);
    return (int64_t)block + less;
}

/* starts[p]: how many keys lie in earlier pieces. */
static USES void fit_starts(const tacit_pieces *index, uint32_t *starts)
{
    uint32_t piece[MANY];
    uint64_t query[MANY];
    float part[MANY];
    memset(starts, 0, ((size_t)index->pieces + 1) * sizeof *starts);
    for (uint64_t from = 0; from < index->count; from += MANY) {
        uint64_t here = index->count - from < MANY ? index->count - from : MANY;
        memset(query, 0, sizeof query);
        memcpy(query, index->keys + from, here * sizeof *query);
        predict(index, query, piece, part);
        for (uint64_t i = 0; i < here; i++) starts[piece[i] + 1] = (uint32_t)(from + i + 1);
    }
    for (uint32_t p = 1; p <= index->pieces; p++) starts[p] = starts[p] < starts[p - 1] ? starts[p - 1] : starts[p];
}

static USES inline uint64_t leaf_block(const tacit_tree *tree, uint64_t node)
{
    uint64_t at = node * BLOCK, most = tree->count - BLOCK;
    at = at < tree->lead ? 0 : at - tree->lead;
    return at > most ? most : at;
}

/* A crowd goes down the tree level by level; the nodes of the next level were asked for while the others were read. */
static USES void tree_crowd(const tacit_tree *tree, const uint64_t *queries, uint64_t step, int64_t *places)
{
    const uint64_t *keys = tree->keys, *nodes = tree->nodes;
    uint64_t query[CROWD], node[CROWD];
    for (int i = 0; i < CROWD; i++) query[i] = queries[i] + step, node[i] = 0;
    for (uint32_t level = 0; level + 1 < tree->levels; level++) {
        const uint64_t *next = tree->nodes + tree->level[level + 1];
        for (int i = 0; i < CROWD; i++) {
            node[i] = node[i] * (BLOCK + 1) + below(nodes + node[i] * BLOCK, query[i]);
            fetch_block(next, (uint32_t)(node[i] * BLOCK));
        }
        nodes = next;
    }
    for (int i = 0; i < CROWD; i++) {
        if (tree->levels) node[i] = node[i] * (BLOCK + 1) + below(nodes + node[i] * BLOCK, query[i]);
        node[i] = leaf_block(tree, node[i]);
        fetch_block(keys, (uint32_t)node[i]);
    }
    for (int i = 0; i < CROWD; i++) places[i] = (int64_t)(node[i] + below(keys + node[i], query[i]));
}

static USES void tree_lookup(const tacit_tree *tree, const uint64_t *queries, uint64_t many, int right, int64_t *places)
{
    const uint64_t step = (uint64_t)(right != 0), whole = many / CROWD * CROWD;
    for (uint64_t from = 0; from < whole; from += CROWD) tree_crowd(tree, queries + from, step, places + from);
    if (whole < many) {
        uint64_t rest[CROWD] = {0};
        int64_t found[CROWD];
        memcpy(rest, queries + whole, (many - whole) * sizeof *rest);
        tree_crowd(tree, rest, step, found);
        memcpy(places + whole, found, (many - whole) * sizeof *found);
    }
}

static USES int64_t tree_find(const tacit_tree *tree, uint64_t query)
{
    uint64_t node = 0;
    for (uint32_t level = 0; level < tree->levels; level++)
        node = node * (BLOCK + 1) + below(tree->nodes + tree->level[level] + node * BLOCK, query);
    uint64_t block = leaf_block(tree, node);
    return (int64_t)(block + below(tree->keys + block, query));
}

const struct paths PATHS = {pieces_lookup, pieces_find, fit_starts, tree_lookup, tree_find};
