#include "workload.hpp"

#include <algorithm>

namespace dyad::powercut {
namespace {

constexpr double kCutChance = 0.35;
constexpr int kSteps = 110;
const char* const kUsers[] = {"ada", "bob", "cyd"};

std::string unique_name(const char* what, std::uint64_t seed) {
    return std::string(what) + std::to_string(seed);
}

}  // namespace

Workload::Workload(std::uint64_t seed, Settings settings, Report report)
    : seed_(seed),
      settings_(std::move(settings)),
      report_(std::move(report)),
      random_(seed),
      cut_random_(seed ^ 0xabcdef),
      disk_(std::make_unique<test::FaultDisk>()) {
    for (const char* user : kUsers)
        ledger_.users.emplace(user, test::SampleLog(user, random_));
}

void Workload::run() {
    disk_->flaw = settings_.flaw;
    disk_->before_change = [this] { maybe_cut(); };
    vfs_ = std::make_unique<test::FaultVfs>(unique_name("history", seed_), *disk_);
    open();
    for (int i = 0; i < kSteps && !ended_; ++i) {
        try {
            step();
        } catch (const Stopped&) {
            crash(false);
        }
    }
    disk_->before_change = nullptr;
    disk_->dead = true;
    store_.reset();
}

void Workload::maybe_cut() {
    ++changes_;
    if (ended_ || !cut_random_.chance(kCutChance)) return;
    const auto after = disk_->cut(cut_random_);
    const bool thorough = cut_random_.below(3) == 0;
    const bool goes_on = cut_random_.below(6) == 0;
    Verdict verdict = recover_and_compare(*after, unique_name("cut", seed_), settings_.pragmas,
                                          ledger_, thorough, goes_on);
    if (!verdict.good())
        verdict.why = "seed " + std::to_string(seed_) + ", change " + std::to_string(changes_) +
                      ": " + verdict.why;
    if (!report_(verdict)) ended_ = true;
}

void Workload::step() {
    const std::uint64_t what = random_.below(100);
    if (random_.chance(0.1))  // whenever the clock is looked at
        store_->reads().save_clock({.proven_ms = static_cast<std::int64_t>(random_.below(1000))});
    if (what < 68) {
        commit_group();
        if (store_->wants_apply() && random_.chance(0.8)) apply();
    } else if (what < 72) {
        (void)store_->apply();
    } else if (what < 76) {
        apply();
    } else if (what < 82) {
        while (store_->tidy()) {
        }
    } else if (what < 85) {
        expect_good(disk_->capacity_bytes == SIZE_MAX);
    } else if (what < 89) {
        expire();
    } else if (what < 91) {
        (void)store_->apply();
        store_.reset();
        open();
    } else if (what < 94) {
        crash(false);
    } else if (what < 97) {
        crash(true);
    } else {
        change_faults();
    }
}

// With commits and reads amid it.
void Workload::apply() {
    (void)store_->apply([this] {
        if (random_.chance(0.4)) commit_group();
        if (random_.chance(0.1)) expect_good(false);
    });
}

void Workload::expect_good(bool thorough) {
    const Verdict verdict = compare(*store_, ledger_, thorough);
    if (verdict.good()) return;
    ended_ = true;
    report_(verdict);
}

void Workload::commit_group() {
    std::vector<AppendRequest> requests;
    std::map<std::string, test::SampleLog> ahead;
    const std::size_t count = 1 + random_.below(5);
    for (std::size_t i = 0; i < count; ++i) {
        const std::string user = kUsers[random_.below(std::size(kUsers))];
        test::SampleLog& log = ahead.try_emplace(user, ledger_.users.at(user)).first->second;
        requests.push_back(log.draft(1 + random_.below(4)));
        log.take(*requests.back().batch, requests.back().changes);
    }
    ledger_.in_flight = requests;
    for (auto& [user, log] : ahead)  // operations of drafts are not used again
        ledger_.users.at(user).skip_operations_of(log);
    accept_results(requests);
    ledger_.in_flight.clear();
}

void Workload::accept_results(std::vector<AppendRequest>& requests) {
    store_->commit(requests, [&](std::size_t i, const AppendResult& result) {
        AppendRequest& asked = ledger_.in_flight[i];
        if (result.outcome == AppendOutcome::committed)
            ledger_.users.at(asked.user_id).take(*asked.batch, asked.changes);
        asked.batch = nullptr;  // answered
    });
}

void Workload::expire() {
    const auto& log = ledger_.users.at(kUsers[random_.below(std::size(kUsers))]);
    const std::int64_t before = random_.chance(0.4)
                                    ? log.now_ms + 1
                                    : log.now_ms - static_cast<std::int64_t>(random_.below(2000));
    ledger_.expired_before_ms = std::max(ledger_.expired_before_ms, before);
    std::map<std::string, Offset> gone_to = ledger_.gone_to;
    for (const auto& [user, acknowledged] : ledger_.users) {
        Offset& last = gone_to[user];
        while (last < acknowledged.head().offset &&
               decode_event(acknowledged.texts()[last])->timestamp_ms < before)
            ++last;
    }
    sqlite::Tables::Expiry walk{.before_ms = before};
    while (!walk.finished) {
        if (!store_->expire_some(walk)) return;
        if (random_.chance(0.1)) commit_group();
    }
    ledger_.gone_to = std::move(gone_to);
    Verdict verdict;
    check_erased(*disk_, ledger_, verdict);
    if (verdict.good()) return;
    ended_ = true;
    report_(verdict);
}

void Workload::change_faults() {
    if (disk_->capacity_bytes != SIZE_MAX) {
        disk_->capacity_bytes = SIZE_MAX;
    } else if (random_.chance(0.5)) {
        disk_->capacity_bytes =
            disk_->size("/m.db") + disk_->size("/m.db-journal") + 2 * 16384 + random_.below(20000);
    } else {
        disk_->syncs_until_failure = 1 + static_cast<std::int64_t>(random_.below(6));
    }
}

void Workload::open() {
    for (;;) {
        try {
            auto opened =
                test::OneThreadStore::open(small_options(vfs_->name(), settings_.pragmas), random_);
            if (opened) {
                store_ = std::move(*opened);
                return;
            }
            // A failed sync or a full disk while opening: the next attempt must do.
            const bool fault_is_on =
                disk_->capacity_bytes != SIZE_MAX || disk_->syncs_until_failure <= 0;
            disk_->capacity_bytes = SIZE_MAX;
            if (fault_is_on) {
                disk_->syncs_until_failure = INT64_MAX;
                continue;
            }
            Verdict verdict;
            verdict.blame(&Verdict::corrupt, "seed " + std::to_string(seed_) +
                                                 ", reopening: " + opened.error().to_string());
            report_(verdict);
            ended_ = true;
            return;
        } catch (const Stopped&) {
            disk_->syncs_until_failure = INT64_MAX;
        }
    }
}

void Workload::crash(bool power_goes) {
    disk_->dead = true;  // so that nothing is tidied up
    store_.reset();
    disk_->dead = false;
    if (power_goes) {
        vfs_.reset();
        auto after = disk_->cut(random_);
        after->before_change = std::exchange(disk_->before_change, nullptr);
        after->flaw = settings_.flaw;
        disk_ = std::move(after);
        vfs_ = std::make_unique<test::FaultVfs>(unique_name("history", seed_), *disk_);
    }
    disk_->syncs_until_failure = INT64_MAX;
    open();
    if (!ended_) adopt();
}

// What an open store shows is durable from now on, whether it was acknowledged or not.
void Workload::adopt() {
    const Verdict verdict = compare(*store_, ledger_, false);
    if (!verdict.good()) {
        report_(verdict);
        ended_ = true;
        return;
    }
    for (const AppendRequest& request : ledger_.in_flight) {
        if (!request.batch) continue;
        test::SampleLog& log = ledger_.users.at(request.user_id);
        if (log.head().offset < verdict.recovered.at(request.user_id) &&
            request.batch->first == log.head().offset + 1)
            log.take(*request.batch, request.changes);
    }
    ledger_.in_flight.clear();
}

}  // namespace dyad::powercut
