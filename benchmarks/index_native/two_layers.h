// A two-layer model over a sorted array: Kraska et al., "The Case for Learned Index Structures" (2018), section 3.2, written anew.
//
// A line over all keys (or over their logarithms) chooses one of `leaves` lines; each keeps its largest error. The range of
// a leaf's error is searched by bisection. The error holds for present keys; an absent one may lie outside, so both ends are checked, and
// widened by doubling when they must be.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "contestant.h"

namespace contest {

class TwoLayers {
    struct Leaf {
        double slope, offset;
        uint64_t error;
    };
    const Keys keys_;
    const bool logarithm_;
    double slope_ = 0, offset_ = 0;
    std::vector<Leaf> leaves_;

    double warped(Key key) const {
        const double x = static_cast<double>(key - keys_.data[0]);
        return logarithm_ ? std::log2(1.0 + x) : x;
    }
    size_t leaf_of(Key key) const {
        const double place = slope_ * warped(key) + offset_;
        return place <= 0 ? 0 : std::min(static_cast<size_t>(place), leaves_.size() - 1);
    }

public:
    TwoLayers(const Keys& keys, size_t keys_per_leaf, bool logarithm) : keys_(keys), logarithm_(logarithm) {
        leaves_.resize(std::max<size_t>(1, keys.size / keys_per_leaf));
        // least squares of position by warped key, scaled to the leaves
        long double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
        for (size_t i = 0; i < keys.size; i += std::max<size_t>(1, keys.size / 1000000)) {
            const long double x = warped(keys.data[i]), y = i;
            n++, sx += x, sy += y, sxx += x * x, sxy += x * y;
        }
        const long double variance = n * sxx - sx * sx;
        const long double slope = variance > 0 ? (n * sxy - sx * sy) / variance : 0;
        const long double scale = static_cast<long double>(leaves_.size()) / keys.size;
        slope_ = static_cast<double>(slope * scale);
        offset_ = static_cast<double>((sy - slope * sx) / n * scale);
        size_t begin = 0;
        for (size_t leaf = 0; leaf < leaves_.size(); leaf++) {
            size_t end = begin;
            while (end < keys.size && leaf_of(keys.data[end]) == leaf) end++;
            fit(leaves_[leaf], begin, end);
            begin = end;
        }
    }

    std::string name() const {
        const char* const root = logarithm_ ? "logarithmic" : "linear";
        return std::string("two layers, ") + root + " root, " + std::to_string(leaves_.size()) + " leaves";
    }
    size_t bytes() const { return leaves_.size() * sizeof(Leaf); }

    size_t find(Key query) const {
        if (query <= keys_.data[0]) return 0;
        const Leaf& leaf = leaves_[leaf_of(query)];
        const double guess = leaf.slope * static_cast<double>(query - keys_.data[0]) + leaf.offset;
        const size_t place = guess <= 0 ? 0 : std::min(static_cast<size_t>(guess), keys_.size);
        size_t low = place - std::min(place, static_cast<size_t>(leaf.error + 1));
        size_t high = std::min(place + leaf.error + 2, keys_.size);
        for (size_t step = 1; low > 0 && keys_.data[low - 1] >= query; step *= 2) low -= std::min(low, step);
        for (size_t step = 1; high < keys_.size && keys_.data[high] < query; step *= 2) high = std::min(high + step, keys_.size);
        return std::lower_bound(keys_.data + low, keys_.data + high, query) - keys_.data;
    }

private:
    void fit(Leaf& leaf, size_t begin, size_t end) {
        const Key first = keys_.data[0];
        leaf = {0, static_cast<double>(begin), 0};
        if (end - begin < 2) return;
        const double x0 = static_cast<double>(keys_.data[begin] - first), x1 = static_cast<double>(keys_.data[end - 1] - first);
        // about the middle, so that the sums keep their digits
        const double mx = (x0 + x1) / 2, my = (begin + end - 1) / 2.0;
        double sx = 0, sy = 0, sxx = 0, sxy = 0;
        const double n = static_cast<double>(end - begin);
        for (size_t i = begin; i < end; i++) {
            const double x = static_cast<double>(keys_.data[i] - first) - mx, y = static_cast<double>(i) - my;
            sx += x, sy += y, sxx += x * x, sxy += x * y;
        }
        const double variance = n * sxx - sx * sx;
        if (variance > 0) leaf.slope = (n * sxy - sx * sy) / variance;
        leaf.offset = my + (sy - leaf.slope * sx) / n - leaf.slope * mx;
        double error = 0;
        for (size_t i = begin; i < end; i++) {
            const double x = static_cast<double>(keys_.data[i] - first);
            error = std::max(error, std::abs(leaf.slope * x + leaf.offset - static_cast<double>(i)));
        }
        leaf.error = static_cast<uint64_t>(std::ceil(error));
    }
};

}  // namespace contest
