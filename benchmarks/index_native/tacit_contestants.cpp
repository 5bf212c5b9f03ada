// Tacit's index, by the C functions that its Python class calls: learned pieces, and the static tree that is held beside them.
#include <cstdlib>
#include <string>

#include "contestant.h"
#include "index.h"

namespace contest {

class Pieces {
    tacit_pieces index_;
    std::vector<double> knots_;
    std::vector<uint32_t> starts_;
    const uint32_t per_piece_;
    const int path_;

public:
    Pieces(const Keys& keys, uint32_t per_piece, int path) : per_piece_(per_piece), path_(path) {
        tacit_pieces_plan(&index_, keys.data, keys.size, per_piece);
        knots_.resize(index_.cells + 1);
        starts_.resize(index_.pieces + 1);
        tacit_pieces_fit(&index_, knots_.data(), starts_.data(), path);
    }
    std::string name() const {
        static const char* const paths[] = {"", ", scalar", ", AVX2", ", AVX-512"};
        return "Tacit, " + std::to_string(per_piece_) + " keys a piece" + paths[path_ + 1];
    }
    std::string note() const {
        return std::to_string(index_.pieces) + " pieces, " + std::to_string(index_.cells) + " cells, " +
               (index_.warp == TACIT_LOGARITHM ? "logarithmic" : "linear") + (index_.layer ? ", as a layer" : ", as a table");
    }
    size_t bytes() const { return sizeof index_ + 8 * knots_.size() + 4 * starts_.size(); }
    size_t find(Key query) const { return static_cast<size_t>(tacit_pieces_find(&index_, query, 0, path_)); }
    void many(const Key* queries, size_t count, uint64_t* positions) const {
        tacit_pieces_lookup(&index_, queries, count, 0, path_, reinterpret_cast<int64_t*>(positions));
    }
};

class Tree {
    tacit_tree tree_;
    uint64_t* nodes_;
    const size_t size_;
    const int path_;

public:
    Tree(const Keys& keys, int path) : size_(tacit_tree_size(keys.size)), path_(path) {
        nodes_ = static_cast<uint64_t*>(std::aligned_alloc(64, (8 * size_ + 64) / 64 * 64));
        tacit_tree_build(&tree_, keys.data, keys.size, nodes_);
    }
    ~Tree() { std::free(nodes_); }
    Tree(const Tree&) = delete;
    std::string name() const { return "Tacit, tree"; }
    size_t bytes() const { return sizeof tree_ + 8 * size_; }
    size_t find(Key query) const { return static_cast<size_t>(tacit_tree_find(&tree_, query, 0, path_)); }
    void many(const Key* queries, size_t count, uint64_t* positions) const {
        tacit_tree_lookup(&tree_, queries, count, 0, path_, reinterpret_cast<int64_t*>(positions));
    }
};

std::vector<Entry> tacit_entries() {
    std::vector<Entry> found;
    for (uint32_t per_piece : {4, 8, 16, 32, 64, 128}) {
        const std::string name = "tacit-" + std::to_string(per_piece);
        found.push_back(entry<Pieces>(name, "tacit", per_piece, static_cast<int>(TACIT_BEST)));
        found.push_back(entry<Pieces>(name + "-avx2", "tacit", per_piece, static_cast<int>(TACIT_AVX2)));
        found.push_back(entry<Pieces>(name + "-scalar", "tacit", per_piece, static_cast<int>(TACIT_SCALAR)));
    }
    found.push_back(entry<Tree>("tacit-tree", "tacit", static_cast<int>(TACIT_BEST)));
    found.push_back(entry<Tree>("tacit-tree-avx2", "tacit", static_cast<int>(TACIT_AVX2)));
    found.push_back(entry<Tree>("tacit-tree-scalar", "tacit", static_cast<int>(TACIT_SCALAR)));
    return found;
}

}  // namespace contest
