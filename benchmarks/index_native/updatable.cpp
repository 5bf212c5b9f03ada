// Structures of others that take inserts, behind a few C functions, so that they can take turns with Tacit's index in one process.
//
//   structure = updatable_open("stx", keys, count);            keys with their numbers, loaded in bulk
//   updatable_insert(structure, keys, count, first number);
//   updatable_lookup(structure, queries, count, numbers);      lower bound: the number of the first key that is not below
//   updatable_close(structure);
//
// Both calls take an array and go through it in a loop that is compiled with the structure; none of the structures has a batch of its own.
#include <alex.h>
#include <absl/container/btree_map.h>
#include <pgm/pgm_index_dynamic.hpp>
#include <stx/btree_map.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

using Key = uint64_t;
using Pairs = std::vector<std::pair<Key, uint32_t>>;

struct Updatable {
    virtual ~Updatable() = default;
    virtual void insert(const Key* keys, size_t count, uint32_t first) = 0;
    virtual void lookup(const Key* queries, size_t count, int64_t* numbers) = 0;
};

template <class Tree>
struct Looped : Updatable {
    Tree tree;
    explicit Looped(Pairs& pairs) : tree(pairs) {}
    void insert(const Key* keys, size_t count, uint32_t first) override {
        for (size_t i = 0; i < count; i++) tree.insert(keys[i], first + static_cast<uint32_t>(i));
    }
    void lookup(const Key* queries, size_t count, int64_t* numbers) override {
        for (size_t i = 0; i < count; i++) numbers[i] = tree.lower_bound(queries[i]);
    }
};

struct Stx {
    stx::btree_map<Key, uint32_t> map;
    explicit Stx(Pairs& pairs) { map.bulk_load(pairs.begin(), pairs.end()); }
    void insert(Key key, uint32_t number) { map.insert(key, number); }
    int64_t lower_bound(Key query) const {
        const auto found = map.lower_bound(query);
        return found == map.end() ? -1 : static_cast<int64_t>(found->second);
    }
};

struct Abseil {
    absl::btree_map<Key, uint32_t> map;
    explicit Abseil(Pairs& pairs) {
        for (const auto& pair : pairs) map.emplace_hint(map.end(), pair.first, pair.second);
    }
    void insert(Key key, uint32_t number) { map.emplace(key, number); }
    int64_t lower_bound(Key query) const {
        const auto found = map.lower_bound(query);
        return found == map.end() ? -1 : static_cast<int64_t>(found->second);
    }
};

struct Alex {
    alex::Alex<Key, uint32_t> map;
    explicit Alex(Pairs& pairs) { map.bulk_load(pairs.data(), static_cast<int>(pairs.size())); }
    void insert(Key key, uint32_t number) { map.insert(key, number); }
    int64_t lower_bound(Key query) {
        const auto found = map.lower_bound(query);
        return found.is_end() ? -1 : static_cast<int64_t>(found.payload());
    }
};

struct DynamicPgm {
    pgm::DynamicPGMIndex<Key, uint32_t> map;
    explicit DynamicPgm(Pairs& pairs) : map(pairs.begin(), pairs.end()) {}
    void insert(Key key, uint32_t number) { map.insert_or_assign(key, number); }
    int64_t lower_bound(Key query) const {
        const auto found = map.lower_bound(query);
        return found == map.end() ? -1 : static_cast<int64_t>(found->second);
    }
};

extern "C" {

Updatable* updatable_open(const char* name, const Key* keys, size_t count) {
    Pairs pairs(count);
    for (size_t i = 0; i < count; i++) pairs[i] = {keys[i], static_cast<uint32_t>(i)};
    if (!std::strcmp(name, "stx")) return new Looped<Stx>(pairs);
    if (!std::strcmp(name, "abseil")) return new Looped<Abseil>(pairs);
    if (!std::strcmp(name, "alex")) return new Looped<Alex>(pairs);
    if (!std::strcmp(name, "dynamic-pgm")) return new Looped<DynamicPgm>(pairs);
    return nullptr;
}

void updatable_insert(Updatable* structure, const Key* keys, size_t count, uint32_t first) { structure->insert(keys, count, first); }

void updatable_lookup(Updatable* structure, const Key* queries, size_t count, int64_t* numbers) {
    structure->lookup(queries, count, numbers);
}

void updatable_close(Updatable* structure) { delete structure; }
}
