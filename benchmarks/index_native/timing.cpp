// Time contestants in turns, in one process, on the same keys; check their answers; write what was measured as JSON.
//
//   timing KEYS OUT.json NAMES SEED QUERIES ROUNDS CHECKS
//
// NAMES: configurations of one contestant joined by `,`, contestants by `;` ("stx;pgm-16,pgm-32"). Of each contestant the configurations
// that a probe finds fastest in a loop and by the array go on (one, if it is the same), the others are freed. QUERIES: lookups of a
// pass. Every pass of a round has a stream of its own, which the contestants take in turns from round to round, so that none finds the
// lines in the cache that another has just fetched for the same query. CHECKS: random queries to Tacit's index, in all.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>

#include "streams.h"

using namespace contest;

struct Running {
    std::string name;
    std::unique_ptr<Contestant> contestant;
    double build = 0;
    std::vector<double> alone, loop, many;  // nanoseconds per lookup, by round
    uint64_t wrong = 0, checked = 0;
    bool crashed = false;
};

static std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts;
    std::stringstream stream(text);
    for (std::string part; std::getline(stream, part, by);) parts.push_back(part);
    return parts;
}

static std::map<std::string, Entry> all_entries() {
    std::map<std::string, Entry> found;
    for (auto entries : {tacit_entries(), search_entries(), b_tree_entries(), pgm_entries(), radix_spline_entries(), alex_entries()})
        for (auto& entry : entries) found[entry.name] = entry;
    return found;
}

enum class Way { alone, loop, many };

static double time(Way way, Contestant& contestant, const std::vector<Key>& queries, std::vector<uint64_t>& positions) {
    const double begun = cpu_seconds();
    if (way == Way::alone) positions[0] = contestant.alone(queries.data(), queries.size());
    if (way == Way::loop) contestant.loop(queries.data(), queries.size(), positions.data());
    if (way == Way::many) contestant.many(queries.data(), queries.size(), positions.data());
    return 1e9 * (cpu_seconds() - begun) / static_cast<double>(queries.size());
}

// Build the configurations of one contestant one after the other and keep the fastest.
static void enter(std::vector<Running>& running, const std::map<std::string, Entry>& entries, const std::string& names, const Keys& keys,
                  uint64_t seed, size_t count) {
    std::vector<Key> queries(count);
    std::vector<uint64_t> positions(count);
    Running best_single, best_many;  // by the loop, and by the array
    double fastest_single = 1e300, fastest_many = 1e300;
    bool same = false;
    for (const std::string& name : split(names, ',')) {
        const auto entry = entries.find(name);
        if (entry == entries.end()) std::fprintf(stderr, "expected a contestant, got `%s`\n", name.c_str()), std::exit(2);
        std::fprintf(stderr, "building %s\n", name.c_str());
        Running fresh;
        fresh.name = name;
        fresh.build = cpu_seconds();
        fresh.contestant = entry->second.make(keys);
        fresh.build = cpu_seconds() - fresh.build;
        double loop = 0, many = 0;
        for (uint64_t turn = 0; turn < 3; turn++) {  // the first turns only warm
            fill(keys, seed + 97 * turn, queries.data(), count);
            loop = time(Way::loop, *fresh.contestant, queries, positions);
            fill(keys, seed + 97 * turn + 41, queries.data(), count);
            many = time(Way::many, *fresh.contestant, queries, positions);
        }
        std::fprintf(stderr, "  %s: build %.3f s, %.3f B/key, loop %.1f ns, many %.1f ns\n", fresh.contestant->name().c_str(), fresh.build,
                     static_cast<double>(fresh.contestant->bytes()) / static_cast<double>(keys.size), loop, many);
        const bool wins_single = loop < fastest_single, wins_many = many < fastest_many;
        if (wins_single) fastest_single = loop;
        if (wins_many) fastest_many = many;
        if (wins_single && wins_many) {
            best_single = std::move(fresh), best_many = {}, same = true;
        } else if (wins_single) {
            if (same) best_many = std::move(best_single);
            best_single = std::move(fresh), same = false;
        } else if (wins_many) {
            best_many = std::move(fresh), same = false;
        }
    }
    running.push_back(std::move(best_single));
    if (best_many.contestant) running.push_back(std::move(best_many));
}

static void rounds_of(std::vector<Running>& running, const Keys& keys, uint64_t seed, size_t count, int rounds) {
    const size_t passes = running.size();
    std::vector<Key> queries(count);
    std::vector<uint64_t> positions(count);
    for (int round = 0; round < rounds; round++)
        for (size_t turn = 0; turn < passes; turn++) {
            const size_t place = round % 2 ? passes - 1 - turn : turn;
            Running& one = running[place];
            std::fprintf(stderr, "asking %s\n", one.name.c_str());
            uint64_t stream = seed + 1000003 * ((place + static_cast<size_t>(round)) % passes + 1) + 16 * static_cast<uint64_t>(round);
            for (auto [way, times] : {std::pair{Way::alone, &one.alone}, {Way::loop, &one.loop}, {Way::many, &one.many}}) {
                fill(keys, stream++, queries.data(), count);
                times->push_back(time(way, *one.contestant, queries, positions));
            }
        }
}

// Count wrong answers. Every query is drawn as the timed ones are, but one in 16 is a neighbour of a key or anything at all.
static void check(Running& one, const Keys& keys, uint64_t seed, uint64_t checks, uint64_t by_bisection) {
    const size_t chunk = 1 << 18;
    std::vector<Key> queries(chunk);
    std::vector<uint64_t> positions(chunk), singly(chunk);
    Random random{seed};
    for (uint64_t done = 0; done < checks; done += chunk) {
        for (Key& query : queries) {
            const uint64_t kind = random.below(64);
            query = kind == 0   ? random()
                    : kind <= 2 ? keys.data[random.below(keys.size)] + (kind == 1 ? 1 : ~Key(0))
                    : kind == 3 ? (random() & 1 ? keys.data[0] - random.below(1000) : keys.data[keys.size - 1] + random.below(1000))
                                : query_of(keys, random);
        }
        one.contestant->many(queries.data(), chunk, positions.data());
        for (size_t i = 0; i < chunk; i++) one.wrong += !is_lower_bound(keys, queries[i], positions[i]);
        one.contestant->loop(queries.data(), chunk / 16, singly.data());  // one by one gives the same
        for (size_t i = 0; i < chunk / 16; i++) one.wrong += singly[i] != positions[i];
        for (size_t i = 0; i < chunk && by_bisection > 0; i++, by_bisection--)
            one.wrong += static_cast<uint64_t>(std::lower_bound(keys.data, keys.data + keys.size, queries[i]) - keys.data) != positions[i];
        one.checked += chunk;
    }
}

// The same in a process of its own: some structures crash when they are asked for what lies outside of the keys.
static void check_apart(Running& one, const Keys& keys, uint64_t seed, uint64_t checks) {
    int ends[2];
    if (pipe(ends)) std::exit(2);
    const pid_t child = fork();
    if (child == 0) {
        check(one, keys, seed, checks, 1 << 10);
        const uint64_t counts[2] = {one.checked, one.wrong};
        _exit(write(ends[1], counts, sizeof counts) != sizeof counts);
    }
    close(ends[1]);
    uint64_t counts[2];
    if (read(ends[0], counts, sizeof counts) == sizeof counts) {
        one.checked = counts[0], one.wrong = counts[1];
    } else {
        one.crashed = true;
    }
    close(ends[0]);
    waitpid(child, nullptr, 0);
}

static std::string listed(const std::vector<double>& values) {
    std::string text = "[";
    char number[32];
    for (double value : values) {
        std::snprintf(number, sizeof number, "%.3f", value);
        text += (text.size() > 1 ? ", " : "") + std::string(number);
    }
    return text + "]";
}

int main(int count, char** given) {
    if (count != 8) return std::fprintf(stderr, "usage: timing KEYS OUT.json NAMES SEED QUERIES ROUNDS CHECKS\n"), 2;
    const Keys keys = read_keys(given[1]);
    const uint64_t seed = std::strtoull(given[4], nullptr, 10), checks = std::strtoull(given[7], nullptr, 10);
    const size_t queries = std::strtoull(given[5], nullptr, 10);
    const auto entries = all_entries();
    std::vector<Running> running;
    for (const std::string& names : split(given[3], ';')) enter(running, entries, names, keys, seed, queries / 2);
    rounds_of(running, keys, seed, queries, std::atoi(given[6]));
    for (Running& one : running) {
        std::fprintf(stderr, "asking %s\n", one.name.c_str());
        if (one.contestant->group() == "tacit") {
            check(one, keys, seed + 5, checks, 1 << 17);
        } else {
            check_apart(one, keys, seed + 5, std::min<uint64_t>(checks, 1 << 18));
        }
    }
    std::FILE* out = std::fopen(given[2], "w");
    if (!out) return std::fprintf(stderr, "expected a file to write - at %s\n", given[2]), 2;
    std::fprintf(out, "{\"keys\": %zu, \"queries\": %zu, \"contestants\": [", keys.size, queries);
    for (size_t i = 0; i < running.size(); i++) {
        const Running& one = running[i];
        std::fprintf(out, "%s\n {\"entry\": \"%s\", \"name\": \"%s\", \"group\": \"%s\", \"note\": \"%s\",\n"
                     "  \"build\": %.4f, \"bytes\": %zu,",
                     i ? "," : "", one.name.c_str(), one.contestant->name().c_str(), one.contestant->group().c_str(),
                     one.contestant->note().c_str(), one.build, one.contestant->bytes());
        std::fprintf(out, " \"alone\": %s, \"loop\": %s, \"many\": %s, \"checked\": %llu, \"wrong\": %llu, \"crashed\": %s}",
                     listed(one.alone).c_str(),
                     listed(one.loop).c_str(), listed(one.many).c_str(), static_cast<unsigned long long>(one.checked),
                     static_cast<unsigned long long>(one.wrong),
                     one.crashed ? "true" : "false");
    }
    std::fprintf(out, "]}\n");
    return std::fclose(out);
}
