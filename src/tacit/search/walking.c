/* The way down many trees and up again: what walking.py does in NumPy, with the same answers to the last bit (no fused multiply-add).

   Node n of the forest has moves at edges[n][0..2][move] (visits, sum of worths, prior; -inf where a move is not legal), and the rows of
   the nodes below it at below[n][move] (-1 for none). Game g has nodes g * size to (g + 1) * size, the root first. */

#include <math.h>
#include <stdint.h>

/* Go down every tree by the greatest upper bound, to a move that leads nowhere yet or to an ended game.
   nodes, chosen: [game][size], the way; length: [game]. */
void tacit_walk_down(int64_t games, int64_t size, int64_t moves, const float *edges, const int64_t *below, const float *worth,
                     const uint8_t *ended, float explore, float first, int64_t *nodes, int64_t *chosen, int64_t *length) {
  for (int64_t game = 0; game < games; game++) {
    int64_t at = game * size, depth = 0;
    for (;;) {
      const float *visits = edges + at * 3 * moves, *wins = visits + moves, *prior = wins + moves;
      float total = 0.0f, best = -INFINITY, fresh = worth[at] - first;
      int64_t move = 0;
      for (int64_t n = 0; n < moves; n++) total += visits[n];
      float scale = explore * sqrtf(total + 1.0f);
      for (int64_t n = 0; n < moves; n++) {
        float bound = prior[n] / (1.0f + visits[n]) * scale;
        bound += visits[n] > 0.0f ? wins[n] / visits[n] : fresh;
        if (bound > best) best = bound, move = n;
      }
      nodes[game * size + depth] = at;
      chosen[game * size + depth++] = move;
      int64_t next = below[at * moves + move];
      if (next < 0 || ended[next]) break;
      at = next;
    }
    length[game] = depth;
  }
}

/* Tell the nodes on each way what its leaf is worth: what is good for who moves there is bad for who moved there, and so on upward. */
void tacit_walk_up(int64_t games, int64_t size, int64_t moves, float *edges, const float *worth, const int64_t *nodes, const int64_t *chosen,
                   const int64_t *length, const int64_t *leaves) {
  for (int64_t game = 0; game < games; game++) {
    float good = worth[leaves[game]];
    for (int64_t depth = length[game] - 1; depth >= 0; depth--) {
      good = -good;
      float *visits = edges + nodes[game * size + depth] * 3 * moves + chosen[game * size + depth];
      visits[0] += 1.0f;
      visits[moves] += good;
    }
  }
}
