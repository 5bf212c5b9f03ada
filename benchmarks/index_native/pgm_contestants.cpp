// The PGM index (Ferragina and Vinciguerra, VLDB 2020), from its authors' own header, with a bisection of the range that it gives.
#include <pgm/pgm_index.hpp>

#include <algorithm>

#include "contestant.h"

namespace contest {

template <size_t Error>
class Pgm {
    const Keys keys_;
    const pgm::PGMIndex<Key, Error> index_;

public:
    explicit Pgm(const Keys& keys) : keys_(keys), index_(keys.data, keys.data + keys.size) {}
    std::string name() const { return "PGM, error " + std::to_string(Error); }
    std::string note() const { return std::to_string(index_.segments_count()) + " segments"; }
    size_t bytes() const { return index_.size_in_bytes(); }
    size_t find(Key query) const {
        const auto range = index_.search(query);
        return std::lower_bound(keys_.data + range.lo, keys_.data + range.hi, query) - keys_.data;
    }
};

std::vector<Entry> pgm_entries() {
    return {entry<Pgm<8>>("pgm-8", "learned"), entry<Pgm<16>>("pgm-16", "learned"), entry<Pgm<32>>("pgm-32", "learned"),
            entry<Pgm<64>>("pgm-64", "learned"), entry<Pgm<128>>("pgm-128", "learned")};
}

}  // namespace contest
