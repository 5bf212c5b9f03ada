/* Plain C, for every processor. */
#include <stdint.h>

#define PATHS tacit_paths_scalar
#define USES

static unsigned below(const uint64_t *block, uint64_t query)
{
    unsigned less = 0;
    for (int i = 0; i < 16; i++) less += block[i] < query;
    return less;
}

#include "path.h"
