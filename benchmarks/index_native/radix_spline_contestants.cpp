// RadixSpline (Kipf et al., aiDM 2020), from its authors' own headers, with a bisection of the range that it gives.
#include <rs/builder.h>
#include <rs/radix_spline.h>

#include <algorithm>

#include "contestant.h"

namespace contest {

class Spline {
    const Keys keys_;
    const size_t bits_, error_;
    rs::RadixSpline<Key> index_;

public:
    Spline(const Keys& keys, size_t bits, size_t error) : keys_(keys), bits_(bits), error_(error) {
        rs::Builder<Key> builder(keys.data[0], keys.data[keys.size - 1], bits, error);
        for (size_t i = 0; i < keys.size; i++) builder.AddKey(keys.data[i]);
        index_ = builder.Finalize();
    }
    std::string name() const { return "RadixSpline, " + std::to_string(bits_) + " bits, error " + std::to_string(error_); }
    size_t bytes() const { return index_.GetSize(); }
    size_t find(Key query) const {
        const auto range = index_.GetSearchBound(query);
        return std::lower_bound(keys_.data + range.begin, keys_.data + range.end, query) - keys_.data;
    }
};

std::vector<Entry> radix_spline_entries() {
    return {
        entry<Spline>("rs-18-16", "learned", 18, 16),
        entry<Spline>("rs-18-32", "learned", 18, 32),
        entry<Spline>("rs-20-16", "learned", 20, 16),
        entry<Spline>("rs-22-16", "learned", 22, 16),
        entry<Spline>("rs-24-16", "learned", 24, 16),
    };
}

}  // namespace contest
