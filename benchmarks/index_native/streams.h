// Sorted keys from a file, and streams of queries for them: half of them present, half absent, inside random gaps between keys.
#pragma once

#include <sys/mman.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "contestant.h"

namespace contest {

inline double cpu_seconds() {  // of this thread
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Random {  // splitmix64: Steele, Lea and Flood (OOPSLA 2014)
    uint64_t state;
    uint64_t operator()() {
        uint64_t z = (state += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
    uint64_t below(uint64_t limit) { return static_cast<uint64_t>((static_cast<unsigned __int128>((*this)()) * limit) >> 64); }
};

inline Key* padded(size_t size) {  // huge pages, as the allocator of everybody is told to use
    const size_t bytes = ((size + Keys::padding) * sizeof(Key) + (2 << 20) - 1) >> 21 << 21;
    Key* data = static_cast<Key*>(std::aligned_alloc(2 << 20, bytes));
    if (!data) std::fprintf(stderr, "expected %zu bytes of memory, got none\n", bytes), std::exit(2);
    madvise(data, bytes, MADV_HUGEPAGE);
    return data;
}

inline Keys read_keys(const std::string& path) {  // raw little-endian uint64, sorted
    std::FILE* file = std::fopen(path.c_str(), "rb");
    if (!file) std::fprintf(stderr, "expected a file of keys, found none - at %s\n", path.c_str()), std::exit(2);
    std::fseek(file, 0, SEEK_END);
    const size_t size = static_cast<size_t>(std::ftell(file)) / sizeof(Key);
    std::rewind(file);
    Key* data = padded(size);
    const size_t got = std::fread(data, sizeof(Key), size, file);
    std::fclose(file);
    if (got != size) std::fprintf(stderr, "expected %zu keys, got %zu - in %s\n", size, got, path.c_str()), std::exit(2);
    for (size_t i = 0; i < Keys::padding; i++) data[size + i] = ~Key(0);
    for (size_t i = 1; i < size; i++)
        if (data[i - 1] > data[i]) std::fprintf(stderr, "expected sorted keys - at %zu of %s\n", i, path.c_str()), std::exit(2);
    return {data, size};
}

// Present or absent by a coin. An absent one lies anywhere in the gap after a random key; a set without gaps gives present ones only.
inline Key query_of(const Keys& keys, Random& random) {
    const bool present = random() >> 63;
    for (int attempt = 0; attempt < 64; attempt++) {
        const size_t at = random.below(keys.size - 1);
        if (present) return keys.data[at];
        const Key gap = keys.data[at + 1] - keys.data[at];
        if (gap >= 2) return keys.data[at] + 1 + random.below(gap - 1);
    }
    return keys.data[random.below(keys.size)];
}

inline void fill(const Keys& keys, uint64_t seed, Key* queries, size_t count) {
    Random random{seed};
    for (size_t i = 0; i < count; i++) queries[i] = query_of(keys, random);
}

// What a lower bound is: every key before it is smaller, and it is not.
inline bool is_lower_bound(const Keys& keys, Key query, uint64_t position) {
    if (position > keys.size) return false;
    return (position == 0 || keys.data[position - 1] < query) && (position == keys.size || keys.data[position] >= query);
}

}  // namespace contest
