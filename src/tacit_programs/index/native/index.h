/* An index of sorted keys: where the first key stands that is not below a query.
 *
 * Two structures answer the same question with the same answers. `tacit_pieces` is learned: a ReLU layer of one input says in which
 * piece of the keys a query lies, and the start positions of the pieces bracket the answer. `tacit_tree` is a static tree of nodes
 * of 16 keys. Keys are uint64, sorted, with duplicates; at most 2^32 - 2 of them. Both structures are plain data: the caller owns the keys
 * and every array; nothing here allocates, but for a sample of the keys that `tacit_pieces_plan` gives back.
 *
 *     tacit_pieces index;                                      tacit_tree tree;
 *     tacit_pieces_plan(&index, keys, count, 32);              nodes = aligned_alloc(64, 8 * tacit_tree_size(count));
 *     knots = malloc(8 * (index.cells + 1));                   tacit_tree_build(&tree, keys, count, nodes);
 *     starts = malloc(4 * (index.pieces + 1));                 tacit_tree_lookup(&tree, queries, many, 0, TACIT_BEST, places);
 *     tacit_pieces_fit(&index, knots, starts, TACIT_BEST);
 *     tacit_pieces_lookup(&index, queries, many, 0, TACIT_BEST, places);
 *
 * `right`: 0 gives the number of keys < query (lower bound), 1 the number of keys <= query. Floating-point must not be contracted:
 * compile with -ffp-contract=off, so that every path computes the same bits.
 */
#ifndef TACIT_INDEX_H
#define TACIT_INDEX_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which instructions are used; TACIT_BEST: the last of them that this processor has. */
enum { TACIT_BEST = -1, TACIT_SCALAR = 0, TACIT_AVX2 = 1, TACIT_AVX512 = 2 };

/* How a key becomes the input of the layer: as it is, or as the bits of the double (a logarithm with straight pieces). */
enum { TACIT_LINEAR = 0, TACIT_LOGARITHM = 1 };

/* A layer of more units than this is run as the table of its knots; the bits of the output are the same. */
enum { TACIT_LAYER = 8 };

typedef struct {
    const uint64_t *keys;   /* [count], sorted */
    uint64_t count;
    uint64_t low, high;     /* a query is clamped to these; few keys lie outside */
    double origin, scale;   /* input of the layer: (warp(clamped - low) - origin) * scale, from 0 to cells */
    const double *knots;    /* [cells + 1]: the layer's output at 0, 1, ... cells, in pieces; never falling */
    const uint32_t *starts; /* [pieces + 1]: how many keys lie in earlier pieces */
    uint32_t cells, pieces;
    uint32_t warp;          /* TACIT_LINEAR or TACIT_LOGARITHM */
    uint32_t layer;         /* 1: run stage 1 as the layer; 0: as the table of its knots */
} tacit_pieces;

typedef struct {
    const uint64_t *keys;
    uint64_t count;
    const uint64_t *nodes;  /* levels of nodes of 16 first keys of their children, the root first; 64-byte aligned */
    uint64_t level[16];     /* where each level begins in `nodes` */
    uint32_t levels;
    uint32_t lead;          /* keys that the first leaf lacks, so that leaves begin at cache lines */
} tacit_tree;

/* The best path that this processor has. */
int tacit_index_isa(void);

/* Choose clamps, warp, cells and pieces for keys; `keys_per_piece` 8 is fast, 128 is small. Reads a sample. */
void tacit_pieces_plan(tacit_pieces *index, const uint64_t *keys, uint64_t count, uint32_t keys_per_piece);
/* Fill knots[cells + 1] and starts[pieces + 1] for what is planned, and refer to them. One pass over the keys. */
void tacit_pieces_fit(tacit_pieces *index, double *knots, uint32_t *starts, int isa);
void tacit_pieces_lookup(const tacit_pieces *index, const uint64_t *queries, uint64_t many, int right, int isa, int64_t *places);
/* One query, no batch; `isa` as above. */
int64_t tacit_pieces_find(const tacit_pieces *index, uint64_t query, int right, int isa);

/* How many uint64 the nodes take. */
uint64_t tacit_tree_size(uint64_t count);
void tacit_tree_build(tacit_tree *tree, const uint64_t *keys, uint64_t count, uint64_t *nodes);
void tacit_tree_lookup(const tacit_tree *tree, const uint64_t *queries, uint64_t many, int right, int isa, int64_t *places);
int64_t tacit_tree_find(const tacit_tree *tree, uint64_t query, int right, int isa);

/* Merge two sorted arrays into merged[many_a + many_b]. */
void tacit_merge(const uint64_t *a, uint64_t many_a, const uint64_t *b, uint64_t many_b, uint64_t *merged);

/* Strings lie one after another in `keys`, string i from key_ends[i] to key_ends[i + 1] - 1. Query i lies between places[i] and last[i]
 * among them (by its first bytes, from a lookup on both sides); its place is written to places[i]. */
void tacit_texts_bisect(
    const uint8_t *keys, const int64_t *key_ends, const uint8_t *queries, const int64_t *query_ends, uint64_t many, int right,
    const int64_t *last, int64_t *places);

#ifdef __cplusplus
}
#endif
#endif
