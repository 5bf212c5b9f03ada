// A contestant of the index benchmark: one structure over sorted keys, asked for lower bounds singly and by the array.
//
// Every structure is wrapped by `Timed<Structure>`, so that its lookup is compiled into the same loops as everybody's:
//   alone   one lookup after the other, with a fence between them, so that nothing of one overlaps another: what one costs by itself.
//           (Making a query depend on the last answer isn't enough: a search that branches gives its answer to the processor's guesses.)
//   loop    one lookup after the other; the processor overlaps them as it can
//   many    an array of queries in, an array of positions out; a structure with a batch of its own uses that, the others the loop
// A structure gives name(), bytes() and find(query), and may give many(queries, count, positions) and note().
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace contest {

using Key = uint64_t;

// Sorted keys, 64-byte aligned, followed by at least `padding` keys of the largest value, so that blocks may be read past the end.
struct Keys {
    const Key* data;
    size_t size;
    static constexpr size_t padding = 64;
};

struct Contestant {
    virtual ~Contestant() = default;
    virtual std::string name() const = 0;     // the structure and its configuration
    virtual std::string group() const = 0;    // "tacit", "b-tree", "s+tree", "learned", "search"
    virtual size_t bytes() const = 0;         // what it holds beside the sorted array that all share; a tree counts keys of its own
    virtual std::string note() const { return ""; }
    virtual uint64_t alone(const Key* queries, size_t count) = 0;  // gives the sum of the positions
    virtual void loop(const Key* queries, size_t count, uint64_t* positions) = 0;
    virtual void many(const Key* queries, size_t count, uint64_t* positions) = 0;
};

template <class Structure, class = void>
struct has_batch : std::false_type {};
template <class Structure>
struct has_batch<Structure, std::void_t<decltype(std::declval<Structure&>().many(nullptr, 0, nullptr))>> : std::true_type {};
template <class Structure, class = void>
struct has_note : std::false_type {};
template <class Structure>
struct has_note<Structure, std::void_t<decltype(std::declval<Structure&>().note())>> : std::true_type {};

template <class Structure>
struct Timed final : Contestant {
    Structure structure;
    std::string group_;

    template <class... Arguments>
    explicit Timed(std::string group, Arguments&&... arguments)
        : structure(std::forward<Arguments>(arguments)...), group_(std::move(group)) {}

    std::string name() const override { return structure.name(); }
    std::string group() const override { return group_; }
    size_t bytes() const override { return structure.bytes(); }
    std::string note() const override {
        if constexpr (has_note<Structure>::value) return structure.note();
        return "";
    }

    uint64_t alone(const Key* queries, size_t count) override {
        uint64_t sum = 0;
        for (size_t i = 0; i < count; i++) {
            sum += structure.find(queries[i]);
            _mm_lfence();
        }
        return sum;
    }

    void loop(const Key* queries, size_t count, uint64_t* positions) override {
        for (size_t i = 0; i < count; i++) positions[i] = structure.find(queries[i]);
    }

    void many(const Key* queries, size_t count, uint64_t* positions) override {
        if constexpr (has_batch<Structure>::value) {
            structure.many(queries, count, positions);
        } else {
            loop(queries, count, positions);
        }
    }
};

using Maker = std::function<std::unique_ptr<Contestant>(const Keys&)>;

struct Entry {
    std::string name;
    std::string group;
    Maker make;
};

template <class Structure, class... Arguments>
Entry entry(std::string name, std::string group, Arguments... arguments) {
    return {name, group, [=](const Keys& keys) -> std::unique_ptr<Contestant> {
                return std::make_unique<Timed<Structure>>(group, keys, arguments...);
            }};
}

// One function per file of contestants; the driver calls those that it was built with.
std::vector<Entry> tacit_entries();
std::vector<Entry> search_entries();      // binary search, the static SIMD tree, a two-layer model: ours, nothing to fetch
std::vector<Entry> b_tree_entries();
std::vector<Entry> pgm_entries();
std::vector<Entry> radix_spline_entries();
std::vector<Entry> alex_entries();

}  // namespace contest
