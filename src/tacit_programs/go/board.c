/* Boards of Go, many at once: what boards.py does in NumPy, with the same answers to the last bit.

   A position is a row of `words` uint64: its state (moves, passes in a row, boards met), the board (one byte per point: 0 free, 1 black,
   2 white), a bit for each legal move, and the keys of all the boards met so far. The key of a board is the exclusive or of the keys of
   its stones (Zobrist 1970). Nothing here allocates, fails or keeps anything between two calls. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MOST 361

/* Where things stand in a row: `shape` in rules.py. */
typedef struct {
  int64_t size, points, words, mask, met, longest, suicide;
} Shape;

/* The points beside a point, and those across its corners, -1 after the last. */
typedef struct {
  int16_t beside[MOST][5], across[MOST][5];
} Grid;

/* chain: the first point of the chain that a stone is of, -1 for no stone; liberties and key of a chain stand at its first point. */
typedef struct {
  int16_t chain[MOST], liberties[MOST];
  uint64_t key[MOST];
} Chains;

static void make_grid(Grid *grid, int size) {
  static const int steps[8][2] = {{-1, 0}, {0, -1}, {0, 1}, {1, 0}, {-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
  for (int point = 0; point < size * size; point++) {
    int beside = 0, across = 0;
    for (int n = 0; n < 8; n++) {
      int row = point / size + steps[n][0], column = point % size + steps[n][1];
      if (row < 0 || row >= size || column < 0 || column >= size) continue;
      if (n < 4) grid->beside[point][beside++] = (int16_t)(row * size + column);
      else grid->across[point][across++] = (int16_t)(row * size + column);
    }
    grid->beside[point][beside] = grid->across[point][across] = -1;
  }
}

static void find_chains(const Grid *grid, int points, const uint8_t *board, const uint64_t *keys, Chains *chains) {
  int16_t seen[MOST], stack[MOST];
  memset(chains->chain, 0xff, sizeof(int16_t) * (size_t)points);
  memset(seen, 0xff, sizeof(int16_t) * (size_t)points);
  for (int first = 0; first < points; first++) {
    if (!board[first] || chains->chain[first] >= 0) continue;
    int colour = board[first], depth = 0, liberties = 0;
    uint64_t key = 0;
    stack[depth++] = (int16_t)first;
    chains->chain[first] = (int16_t)first;
    while (depth) {
      int point = stack[--depth];
      key ^= keys[2 * point + colour - 1];
      for (const int16_t *next = grid->beside[point]; *next >= 0; next++) {
        if (!board[*next]) {
          if (seen[*next] != first) seen[*next] = (int16_t)first, liberties++;
        } else if (board[*next] == colour && chains->chain[*next] < 0) {
          chains->chain[*next] = (int16_t)first;
          stack[depth++] = *next;
        }
      }
    }
    chains->liberties[first] = (int16_t)liberties;
    chains->key[first] = key;
  }
}

/* Give the key of the board after a stone at a free point; dead: 1 if that stone would have no liberty, whatever it takes included. */
static uint64_t key_after(const Grid *grid, const uint8_t *board, const Chains *chains, const uint64_t *keys, uint64_t now, int point,
                          int colour, int *dead) {
  uint64_t taken = 0, own = 0, stone = keys[2 * point + colour - 1];
  int16_t met[4];
  int lives = 0, count = 0;
  for (const int16_t *next = grid->beside[point]; *next >= 0; next++) {
    if (!board[*next]) {
      lives = 1;
      continue;
    }
    int16_t chain = chains->chain[*next];
    int again = 0;
    for (int n = 0; n < count; n++) again |= met[n] == chain;
    if (again) continue;
    met[count++] = chain;
    if (board[*next] == colour) {
      own ^= chains->key[chain];
      lives |= chains->liberties[chain] > 1;
    } else if (chains->liberties[chain] == 1) {
      taken ^= chains->key[chain];
      lives = 1;
    }
  }
  *dead = !lives;
  return lives ? now ^ stone ^ taken : now ^ own;
}

static void mark_legal(const Shape *shape, const Grid *grid, const uint64_t *keys, uint64_t *row) {
  const uint8_t *board = (const uint8_t *)(row + 1);
  uint64_t *mask = row + shape->mask;
  const uint64_t *met = row + shape->met;
  int boards = (int)(row[0] >> 32), colour = 1 + (int)(row[0] & 1), points = (int)shape->points;
  Chains chains;
  find_chains(grid, points, board, keys, &chains);
  for (int n = 0; n <= points / 64; n++) mask[n] = 0;
  mask[points / 64] |= (uint64_t)1 << (points % 64);
  for (int point = 0; point < points; point++) {
    if (board[point]) continue;
    int dead, again = 0;
    uint64_t key = key_after(grid, board, &chains, keys, met[boards - 1], point, colour, &dead);
    if (dead && !shape->suicide) continue;
    for (int n = 0; n < boards; n++) again |= met[n] == key;
    if (!again) mask[point / 64] |= (uint64_t)1 << (point % 64);
  }
}

void go_mark(const Shape *shape, const uint64_t *keys, int64_t count, uint64_t *rows) {
  Grid grid;
  make_grid(&grid, (int)shape->size);
  for (int64_t n = 0; n < count; n++) mark_legal(shape, &grid, keys, rows + n * shape->words);
}

void go_play(const Shape *shape, const uint64_t *keys, int64_t count, const uint64_t *before, const int64_t *moves, uint64_t *after) {
  Grid grid;
  make_grid(&grid, (int)shape->size);
  int points = (int)shape->points;
  for (int64_t n = 0; n < count; n++) {
    uint64_t *row = after + n * shape->words;
    memcpy(row, before + n * shape->words, sizeof(uint64_t) * (size_t)shape->words);
    uint64_t moved = row[0] & 0xffff, passes = row[0] >> 16 & 0xffff, boards = row[0] >> 32;
    int colour = 1 + (int)(moved & 1), point = (int)moves[n];
    if (point >= points) {
      passes++;
    } else {
      uint8_t *board = (uint8_t *)(row + 1);
      uint64_t *met = row + shape->met;
      Chains chains;
      int dead;
      find_chains(&grid, points, board, keys, &chains);
      uint64_t key = key_after(&grid, board, &chains, keys, met[boards - 1], point, colour, &dead);
      if (!dead) board[point] = (uint8_t)colour;
      for (const int16_t *next = grid.beside[point]; *next >= 0; next++) {
        int16_t chain = chains.chain[*next];
        if (chain < 0 || !board[*next]) continue;
        if (dead ? board[*next] == colour : board[*next] != colour && chains.liberties[chain] == 1)
          for (int other = 0; other < points; other++)
            if (chains.chain[other] == chain) board[other] = 0;
      }
      met[boards++] = key;
      passes = 0;
    }
    row[0] = (moved + 1) | passes << 16 | boards << 32;
    mark_legal(shape, &grid, keys, row);
  }
}

/* Give black's stones and surrounded points less white's. */
static int area(const Grid *grid, int points, const uint8_t *board) {
  uint8_t seen[MOST] = {0};
  int16_t stack[MOST];
  int score = 0;
  for (int first = 0; first < points; first++) {
    if (board[first]) {
      score += board[first] == 1 ? 1 : -1;
      continue;
    }
    if (seen[first]) continue;
    int depth = 0, size = 0, borders = 0;
    stack[depth++] = (int16_t)first;
    seen[first] = 1;
    while (depth) {
      int point = stack[--depth];
      size++;
      for (const int16_t *next = grid->beside[point]; *next >= 0; next++) {
        if (board[*next]) borders |= board[*next];
        else if (!seen[*next]) seen[*next] = 1, stack[depth++] = *next;
      }
    }
    score += borders == 1 ? size : borders == 2 ? -size : 0;
  }
  return score;
}

void go_area(const Shape *shape, int64_t count, const uint64_t *rows, int64_t *scores) {
  Grid grid;
  make_grid(&grid, (int)shape->size);
  for (int64_t n = 0; n < count; n++) scores[n] = area(&grid, (int)shape->points, (const uint8_t *)(rows + n * shape->words + 1));
}

/* planes: float32[position, plane, point]: own stones, the other's, points where one may not play, whether the other passed, whether one
   is black, and ones, by which a network sees the edge. */
void go_encode(const Shape *shape, int64_t count, const uint64_t *rows, float *planes) {
  int64_t points = shape->points;
  for (int64_t n = 0; n < count; n++, planes += 6 * points) {
    const uint64_t *row = rows + n * shape->words;
    const uint8_t *board = (const uint8_t *)(row + 1);
    int own = 1 + (int)(row[0] & 1);
    float passed = (row[0] >> 16 & 0xffff) > 0, black = own == 1;
    for (int64_t point = 0; point < points; point++) {
      int legal = row[shape->mask + point / 64] >> (point % 64) & 1;
      planes[point] = board[point] == own;
      planes[points + point] = board[point] == 3 - own;
      planes[2 * points + point] = !board[point] && !legal;
      planes[3 * points + point] = passed;
      planes[4 * points + point] = black;
      planes[5 * points + point] = 1.0f;
    }
  }
}

/* Tell whether a free point is an eye of a colour: only its stones beside it, and the corners mostly not the other's. */
static int is_eye(const Grid *grid, const uint8_t *board, int point, int colour) {
  int others = 0, corners = 0;
  for (const int16_t *next = grid->beside[point]; *next >= 0; next++)
    if (board[*next] != colour) return 0;
  for (const int16_t *next = grid->across[point]; *next >= 0; next++) corners++, others += board[*next] == 3 - colour;
  return others < (corners < 4 ? 1 : 2);
}

/* Play each position to its end at random, and give black's area less white's. No eye is filled, no stone is put where it would be taken
   off at once, no single stone is taken back at once; who can do nothing else passes. Seeds: of splitmix64 (Steele et al. 2014). */
void go_playouts(const Shape *shape, const uint64_t *keys, int64_t count, const uint64_t *rows, const uint64_t *seeds, int64_t *scores) {
  Grid grid;
  make_grid(&grid, (int)shape->size);
  int points = (int)shape->points;
  for (int64_t n = 0; n < count; n++) {
    const uint64_t *row = rows + n * shape->words;
    uint8_t board[MOST];
    memcpy(board, row + 1, (size_t)points);
    int64_t moved = (int64_t)(row[0] & 0xffff), passes = (int64_t)(row[0] >> 16 & 0xffff);
    uint64_t state = seeds[n];
    int ko = -1;
    for (; passes < 2 && moved < shape->longest; moved++) {
      int colour = 1 + (int)(moved & 1);
      int16_t open[MOST];
      uint32_t choices = 0;
      Chains chains;
      find_chains(&grid, points, board, keys, &chains);
      for (int point = 0; point < points; point++) {
        if (board[point] || point == ko || is_eye(&grid, board, point, colour)) continue;
        int dead;
        key_after(&grid, board, &chains, keys, 0, point, colour, &dead);
        if (!dead) open[choices++] = (int16_t)point;
      }
      ko = -1;
      if (!choices) {
        passes++;
        continue;
      }
      passes = 0;
      state += 0x9e3779b97f4a7c15u;
      uint64_t mixed = state;
      mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
      mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
      mixed ^= mixed >> 31;
      int point = open[(mixed >> 32) * choices >> 32], taken = 0, last = -1, alone = 1, liberties = 0;
      board[point] = (uint8_t)colour;
      for (const int16_t *next = grid.beside[point]; *next >= 0; next++) {
        int16_t chain = chains.chain[*next];
        if (board[*next] == 3 - colour && chains.liberties[chain] == 1)
          for (int other = 0; other < points; other++)
            if (chains.chain[other] == chain) board[other] = 0, taken++, last = other;
      }
      for (const int16_t *next = grid.beside[point]; *next >= 0; next++) alone &= board[*next] != colour, liberties += !board[*next];
      if (taken == 1 && alone && liberties == 1) ko = last;
    }
    scores[n] = area(&grid, points, board);
  }
}
