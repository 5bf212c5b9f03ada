/* What each instruction set offers; for keys of 16 and more. */
#ifndef TACIT_PATHS_H
#define TACIT_PATHS_H

#include "index.h"

struct paths {
    void (*pieces_lookup)(const tacit_pieces *, const uint64_t *, uint64_t, int, int64_t *);
    int64_t (*pieces_find)(const tacit_pieces *, uint64_t);
    void (*fit_starts)(const tacit_pieces *, uint32_t *);
    void (*tree_lookup)(const tacit_tree *, const uint64_t *, uint64_t, int, int64_t *);
    int64_t (*tree_find)(const tacit_tree *, uint64_t);
};

extern const struct paths tacit_paths_scalar, tacit_paths_avx2, tacit_paths_avx512;

#endif
