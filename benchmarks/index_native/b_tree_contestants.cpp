// B-trees that hold (key, uint32 position): STX B+-tree and Abseil's.
#include <stx/btree_map.h>

#include <absl/container/btree_map.h>

#include <utility>

#include "contestant.h"

namespace contest {

struct Numbered {  // sorted (key, position) pairs made on the fly, as an iterator for bulk loading
    using iterator_category = std::random_access_iterator_tag;
    using value_type = std::pair<Key, uint32_t>;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = value_type;
    const Key* keys;
    size_t at;
    mutable value_type held;
    value_type operator*() const { return {keys[at], static_cast<uint32_t>(at)}; }
    const value_type* operator->() const { return held = **this, &held; }
    Numbered& operator++() { return ++at, *this; }
    Numbered operator++(int) { return {keys, at++, {}}; }
    friend std::ptrdiff_t operator-(const Numbered& a, const Numbered& b) { return static_cast<std::ptrdiff_t>(a.at - b.at); }
    bool operator!=(const Numbered& other) const { return at != other.at; }
    bool operator==(const Numbered& other) const { return at == other.at; }
};

struct Counted {  // what an allocator has been asked for
    static inline size_t bytes = 0;
};

template <class T>
struct Counting {
    using value_type = T;
    template <class U>
    struct rebind {
        using other = Counting<U>;
    };
    Counting() = default;
    template <class U>
    Counting(const Counting<U>&) {}
    T* allocate(size_t n) { return Counted::bytes += n * sizeof(T), std::allocator<T>().allocate(n); }
    void deallocate(T* p, size_t n) { Counted::bytes -= n * sizeof(T), std::allocator<T>().deallocate(p, n); }
    template <class U>
    void destroy(U* p) {  // STX asks for it
        p->~U();
    }
    bool operator==(const Counting&) const { return true; }
    bool operator!=(const Counting&) const { return false; }
};

class StxTree {
    stx::btree_map<Key, uint32_t, std::less<Key>, stx::btree_default_map_traits<Key, uint32_t>, Counting<std::pair<Key, uint32_t>>> tree_;
    size_t size_, bytes_;

public:
    explicit StxTree(const Keys& keys) : size_(keys.size) {
        const size_t before = Counted::bytes;
        tree_.bulk_load(Numbered{keys.data, 0, {}}, Numbered{keys.data, keys.size, {}});
        bytes_ = Counted::bytes - before;
    }
    std::string name() const { return "STX B+-tree"; }
    size_t bytes() const { return bytes_; }
    size_t find(Key query) const {
        const auto found = tree_.lower_bound(query);
        return found == tree_.end() ? size_ : found->second;
    }
};

class AbseilTree {
    absl::btree_map<Key, uint32_t, std::less<Key>, Counting<std::pair<const Key, uint32_t>>> tree_;
    size_t size_, bytes_;

public:
    explicit AbseilTree(const Keys& keys) : size_(keys.size) {
        const size_t before = Counted::bytes;
        for (size_t i = 0; i < keys.size; i++) tree_.emplace_hint(tree_.end(), keys.data[i], static_cast<uint32_t>(i));
        bytes_ = Counted::bytes - before;
    }
    std::string name() const { return "Abseil btree_map"; }
    size_t bytes() const { return bytes_; }
    size_t find(Key query) const {
        const auto found = tree_.lower_bound(query);
        return found == tree_.end() ? size_ : found->second;
    }
};

std::vector<Entry> b_tree_entries() { return {entry<StxTree>("stx", "b-tree"), entry<AbseilTree>("abseil", "b-tree")}; }

}  // namespace contest
