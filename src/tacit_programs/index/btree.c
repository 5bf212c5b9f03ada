/* The predecessor: a B+-tree of keys with a value each, as databases keep them. Nodes lie in one array and are found by number; a node of
 * WIDTH keys is a few lines of the cache, searched without branches; leaves follow one another. Duplicates are allowed.
 *
 * Source: D. Comer, The Ubiquitous B-Tree, ACM Computing Surveys 11(2), 1979.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef WIDTH
#define WIDTH 30
#endif
#define NONE UINT32_MAX

typedef struct {
    uint32_t count, next;       /* keys in use; of a leaf, the leaf after it */
    uint64_t keys[WIDTH];       /* of an inner node: the first key of each child but the first */
    uint32_t below[WIDTH + 2];  /* children of an inner node, count + 1 of them; values of a leaf */
} node;

typedef struct {
    node *nodes;
    uint32_t used, room, root, height; /* height 0: the root is a leaf */
    uint64_t count;
} btree;

static uint32_t new_node(btree *tree)
{
    if (tree->used == tree->room) {
        uint32_t room = tree->room ? tree->room * 2 : 64;
        node *grown = realloc(tree->nodes, (size_t)room * sizeof *grown);
        if (!grown) abort();
        tree->nodes = grown;
        tree->room = room;
    }
    tree->nodes[tree->used].count = 0;
    tree->nodes[tree->used].next = NONE;
    return tree->used++;
}

/* How many keys of a node are below the query (or equal to it). */
static uint32_t rank(const node *n, uint64_t query, int or_equal)
{
    uint32_t first = 0;
    for (uint32_t length = n->count; length;) {
        uint32_t half = length / 2;
        int less = or_equal ? n->keys[first + half] <= query : n->keys[first + half] < query;
        first += less ? half + 1 : 0;
        length = less ? length - half - 1 : half;
    }
    return first;
}

btree *btree_new(void)
{
    btree *tree = calloc(1, sizeof *tree);
    if (tree) tree->root = new_node(tree);
    return tree;
}

void btree_free(btree *tree)
{
    if (tree) free(tree->nodes);
    free(tree);
}

uint64_t btree_bytes(const btree *tree)
{
    return (uint64_t)tree->used * sizeof(node);
}

/* Fill an empty tree with sorted keys, whose values are their positions; `full` of a node's keys are used. */
void btree_load(btree *tree, const uint64_t *keys, uint64_t count, uint32_t full)
{
    uint64_t many = (count + full - 1) / full, above;
    uint64_t *firsts = malloc((many + 1) * sizeof *firsts);
    uint32_t begin = tree->used, before = NONE;
    if (!firsts) abort();
    tree->used = 0;
    tree->room = (uint32_t)(many + many / (full - 1) * 2 + 64);
    tree->nodes = realloc(tree->nodes, (size_t)tree->room * sizeof(node));
    if (!tree->nodes) abort();
    for (uint64_t at = 0; at < count || !at; at += full) {
        uint32_t leaf = new_node(tree);
        node *n = tree->nodes + leaf;
        for (uint64_t i = at; i < count && i < at + full; i++) n->keys[n->count] = keys[i], n->below[n->count++] = (uint32_t)i;
        if (before != NONE) tree->nodes[before].next = leaf;
        firsts[leaf] = count ? keys[at] : 0;
        before = leaf;
    }
    tree->height = 0;
    for (begin = 0, many = tree->used; many > 1; begin += (uint32_t)many, many = above, tree->height++) {
        above = 0;
        for (uint64_t at = 0; at < many; at += full + 1, above++) {
            node *n = tree->nodes + new_node(tree);
            n->below[0] = begin + (uint32_t)at;
            for (uint64_t i = at + 1; i < many && i < at + full + 1; i++) n->keys[n->count] = firsts[i], n->below[++n->count] = begin + (uint32_t)i;
            firsts[above] = firsts[at];
        }
    }
    tree->root = tree->used - 1;
    tree->count = count;
    free(firsts);
}

/* The value of the first key that is not below each query; `none` where all are. */
void btree_lookup(const btree *tree, const uint64_t *queries, uint64_t many, int64_t none, int64_t *values)
{
    for (uint64_t i = 0; i < many; i++) {
        const node *n = tree->nodes + tree->root;
        for (uint32_t level = 0; level < tree->height; level++) n = tree->nodes + n->below[rank(n, queries[i], 0)];
        uint32_t at = rank(n, queries[i], 0);
        while (at == n->count && n->next != NONE) n = tree->nodes + n->next, at = 0;
        values[i] = at < n->count ? (int64_t)n->below[at] : none;
    }
}

static void put(node *n, uint32_t at, uint64_t key, uint32_t below, uint32_t shift)
{
    memmove(n->keys + at + 1, n->keys + at, (n->count - at) * sizeof *n->keys);
    memmove(n->below + at + shift + 1, n->below + at + shift, (n->count - at) * sizeof *n->below);
    n->keys[at] = key;
    n->below[at + shift] = below;
    n->count++;
}

/* Insert below node `here`; gives the number of a new right neighbour and its first key, or NONE. */
static uint32_t insert(btree *tree, uint32_t here, uint32_t level, uint64_t *key, uint32_t value)
{
    uint32_t at = rank(tree->nodes + here, *key, 1), inner = level > 0;
    if (inner) {
        value = insert(tree, tree->nodes[here].below[at], level - 1, key, value);
        if (value == NONE) return NONE;
    }
    if (tree->nodes[here].count < WIDTH) {
        put(tree->nodes + here, at, *key, value, inner);
        return NONE;
    }
    uint32_t right = new_node(tree), half = WIDTH / 2;
    node *a = tree->nodes + here, *b = tree->nodes + right;
    b->count = a->count - half;
    memcpy(b->keys, a->keys + half, b->count * sizeof *b->keys);
    memcpy(b->below, a->below + half, (b->count + 1) * sizeof *b->below);
    b->next = a->next;
    a->count = half;
    if (!inner) a->next = right;
    if (at <= half) put(a, at, *key, value, inner);
    else put(b, at - half, *key, value, inner);
    *key = b->keys[0];
    if (inner) { /* the first key goes up: it stands between a and b */
        b->count--;
        memmove(b->keys, b->keys + 1, b->count * sizeof *b->keys);
        memmove(b->below, b->below + 1, (b->count + 1) * sizeof *b->below);
    }
    return right;
}

void btree_insert(btree *tree, const uint64_t *keys, const uint32_t *values, uint64_t many)
{
    for (uint64_t i = 0; i < many; i++) {
        uint64_t key = keys[i];
        uint32_t left = tree->root, right = insert(tree, left, tree->height, &key, values[i]);
        tree->count++;
        if (right == NONE) continue;
        tree->root = new_node(tree);
        node *n = tree->nodes + tree->root;
        n->count = 1;
        n->keys[0] = key;
        n->below[0] = left;
        n->below[1] = right;
        tree->height++;
    }
}
