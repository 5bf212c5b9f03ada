// Contestants that need no sources of others: binary search, the static SIMD tree and the two-layer model.
#include <algorithm>

#include "contestant.h"
#include "static_tree.h"
#include "two_layers.h"

namespace contest {

struct BinarySearch {
    Keys keys;
    explicit BinarySearch(const Keys& k) : keys(k) {}
    std::string name() const { return "std::lower_bound"; }
    size_t bytes() const { return 0; }
    size_t find(Key query) const { return std::lower_bound(keys.data, keys.data + keys.size, query) - keys.data; }
};

std::vector<Entry> search_entries() {
    return {
        entry<BinarySearch>("lower_bound", "search"),
        entry<StaticTree<1, 16>>("splus-8-16", "s+tree"),
        entry<StaticTree<2, 16>>("splus-16-16", "s+tree"),
        entry<StaticTree<2, 32>>("splus-16-32", "s+tree"),
        entry<StaticTree<2, 64>>("splus-16-64", "s+tree"),
        entry<StaticTree<2, 128>>("splus-16-128", "s+tree"),
        entry<TwoLayers>("rmi-linear-64", "learned", 64, false),
        entry<TwoLayers>("rmi-linear-256", "learned", 256, false),
        entry<TwoLayers>("rmi-log-64", "learned", 64, true),
        entry<TwoLayers>("rmi-log-256", "learned", 256, true),
    };
}

}  // namespace contest
