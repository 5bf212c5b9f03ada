// ALEX (Ding et al., SIGMOD 2020), from its authors' own headers, holding (key, uint32 position).
#include <alex.h>

#include <memory>

#include "contestant.h"

namespace contest {

class Alex {
    alex::Alex<Key, uint32_t> index_;
    size_t size_;
    size_t bytes_;

public:
    explicit Alex(const Keys& keys) : size_(keys.size) {
        std::unique_ptr<std::pair<Key, uint32_t>[]> pairs(new std::pair<Key, uint32_t>[keys.size]);
        for (size_t i = 0; i < keys.size; i++) pairs[i] = {keys.data[i], static_cast<uint32_t>(i)};
        index_.bulk_load(pairs.get(), static_cast<int>(keys.size));
        bytes_ = static_cast<size_t>(index_.model_size() + index_.data_size());
    }
    std::string name() const { return "ALEX"; }
    size_t bytes() const { return bytes_; }
    size_t find(Key query) {
        const auto found = index_.lower_bound(query);
        return found.is_end() ? size_ : found.payload();
    }
};

std::vector<Entry> alex_entries() { return {entry<Alex>("alex", "learned")}; }

}  // namespace contest
