// A static B-tree over a sorted array ("S+ tree"): no pointers, nodes of whole cache lines, SIMD comparisons, batches level by level.
//
// The design is that of S. Slotin, "Static B-trees" (Algorithmica, 2022), and R. Groot Koerkamp, "Static search trees: 40x faster than
// binary search" (2024), written anew for 64-bit keys: the lowest level is the sorted array itself; a node of B separators has B + 1
// children, and separator i is the largest key below child i, so that a lower bound never leaves its leaf. A batch goes down together,
// one level at a time, prefetching the child of every query before the first of them is compared.
#pragma once

#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "contestant.h"

namespace contest {

template <int Lines, int Batch>
class StaticTree {
    static_assert(Lines == 1 || Lines == 2);
    static constexpr size_t B = 8 * Lines;  // keys of a node
    const Keys keys_;
    Key* separators_ = nullptr;
    size_t total_ = 0;                      // nodes above the keys
    std::vector<const Key*> levels_;        // root first; the keys are the last

    static size_t nodes_above(size_t children) { return (children + B) / (B + 1); }

    static inline size_t below(const Key* node, __m512i query) {
        unsigned less = _mm512_cmplt_epu64_mask(_mm512_load_si512(node), query);
        if constexpr (Lines == 2) less |= static_cast<unsigned>(_mm512_cmplt_epu64_mask(_mm512_load_si512(node + 8), query)) << 8;
        return static_cast<size_t>(_mm_popcnt_u32(less));
    }

    static inline void prefetch(const Key* node) {
#pragma GCC unroll 4
        for (int line = 0; line < Lines; line++) __builtin_prefetch(node + 8 * line, 0, 2);
    }

public:
    explicit StaticTree(const Keys& keys) : keys_(keys) {
        std::vector<size_t> counts;  // nodes per level, lowest first
        for (size_t nodes = (keys.size + B - 1) / B; nodes > 1;) {
            nodes = nodes_above(nodes);
            counts.push_back(nodes);
            total_ += nodes;
        }
        const size_t bytes = std::max<size_t>(1, total_) * B * sizeof(Key);
        separators_ = static_cast<Key*>(std::aligned_alloc(1 << 21, (bytes + (1 << 21) - 1) >> 21 << 21));
        madvise(separators_, bytes, MADV_HUGEPAGE);
        Key* level = separators_ + total_ * B;
        size_t span = B;  // keys below one child of the level
        std::vector<const Key*> upwards{keys.data};
        for (size_t nodes : counts) {
            level -= nodes * B;
            for (size_t node = 0; node < nodes; node++)
                for (size_t i = 0; i < B; i++) {
                    const size_t last = (node * (B + 1) + i + 1) * span - 1;
                    level[node * B + i] = last < keys.size ? keys.data[last] : ~Key(0);
                }
            upwards.push_back(level);
            span *= B + 1;
        }
        levels_.assign(upwards.rbegin(), upwards.rend());
    }
    ~StaticTree() { std::free(separators_); }
    StaticTree(const StaticTree&) = delete;

    std::string name() const { return "S+tree, nodes of " + std::to_string(B) + ", batches of " + std::to_string(Batch); }
    size_t bytes() const { return total_ * B * sizeof(Key); }

    size_t find(Key query) const {
        const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(query));
        size_t node = 0;
        const size_t last = levels_.size() - 1;
        for (size_t level = 0; level < last; level++) node = node * (B + 1) + below(levels_[level] + node * B, wanted);
        return std::min(node * B + below(levels_[last] + node * B, wanted), keys_.size);
    }

    void many(const Key* queries, size_t count, uint64_t* positions) const {
        size_t done = 0;
        for (; done + Batch <= count; done += Batch) batch(queries + done, positions + done);
        for (; done < count; done++) positions[done] = find(queries[done]);
    }

private:
    void batch(const Key* queries, uint64_t* positions) const {
        size_t nodes[Batch] = {};
        const size_t last = levels_.size() - 1;
        for (size_t level = 0; level < last; level++) {
            const Key *here = levels_[level], *next = levels_[level + 1];
            for (int i = 0; i < Batch; i++) {
                const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(queries[i]));
                nodes[i] = nodes[i] * (B + 1) + below(here + nodes[i] * B, wanted);
                prefetch(next + nodes[i] * B);
            }
        }
        for (int i = 0; i < Batch; i++) {
            const __m512i wanted = _mm512_set1_epi64(static_cast<long long>(queries[i]));
            positions[i] = std::min(nodes[i] * B + below(keys_.data + nodes[i] * B, wanted), keys_.size);
        }
    }
};

}  // namespace contest
