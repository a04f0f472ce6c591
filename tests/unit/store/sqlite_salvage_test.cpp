// Salvage, against the truth that the damage was done to: nothing in the new store is false, and
// nothing that can be proved is missing.
#include "store/sqlite/salvage.hpp"
#include "support/fault_vfs.hpp"
#include "support/one_thread_store.hpp"
#include "support/sample_log.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>

#include <gtest/gtest.h>

namespace dyad::sqlite {
namespace {

using test::FaultDisk;
using test::SampleLog;

struct Stopped {};

constexpr const char* kFiles[] = {"/m.db", "/m.db-log0", "/m.db-log1", "/m.db-journal"};

class Salvage : public testing::Test {
  protected:
    Salvage() : vfs_(testing::UnitTest::GetInstance()->current_test_info()->name(), disk_) {}

    StoreOptions options(const std::string& database) const {
        return {.database = database,
                .vfs = vfs_.name(),
                .journal_file_bytes = 64 * 1024,
                .apply_bytes = 24 * 1024,
                .page_bytes = 1024,
                .segments = {.events_max = 16, .bytes_max = 6000, .merge_below_bytes = 900},
                .epoch_seed = test::kSampleSeed,
                .on_fatal = [](const std::string&) { throw Stopped{}; }};
    }

    // Three users; the newest events are in the journals only.
    enum class Expire : std::uint8_t { nothing, half, all };
    void fill(int rounds, Expire expire = Expire::nothing) {
        auto store = test::OneThreadStore::open(options("/m.db"), random_);
        ASSERT_TRUE(store) << store.error().to_string();
        for (const char* name : {"ada", "bob", "eve"})
            truth_.emplace(name, SampleLog(name, random_, {.keys = 6, .data_bytes = 150}));
        for (int round = 0; round < rounds; ++round) {
            for (auto& [name, log] : truth_) {
                if (name == "eve" && round > rounds / 2) continue;
                std::vector<AppendRequest> one{log.draft(1 + random_.below(3))};
                const AppendRequest kept = one[0];
                std::vector<AppendResult> results;
                (*store)->commit(one, results);
                log.take(*kept.batch, kept.changes);
            }
            if (round == rounds * 3 / 4) {
                ASSERT_TRUE((*store)->apply());
                const auto& texts = truth_.at("ada").texts();
                Tables::Expiry walk{.before_ms =
                                        expire == Expire::all
                                            ? INT64_MAX
                                            : decode_event(texts[texts.size() / 2])->timestamp_ms};
                while (expire != Expire::nothing && !walk.finished)
                    ASSERT_TRUE((*store)->expire_some(walk));
            }
        }
        disk_.dead = true;
        store->reset();
        disk_.dead = false;
    }

    Result<SalvageAccount> run() {
        SalvageOptions options;
        options.from = "/m.db";
        options.to = "/new.db";
        options.vfs = vfs_.name();
        options.journal_file_bytes = 64 * 1024;
        options.page_bytes = 1024;
        return salvage(options, random_);
    }

    // Compares the new store with the truth and the account; how many events are lost.
    std::size_t check(const SalvageAccount& account) {
        auto store = test::OneThreadStore::open(options("/new.db"), random_);
        EXPECT_TRUE(store) << store.error().to_string();
        if (!store) return 0;
        std::size_t lost = 0;
        for (const SalvagedUser& user : account.users) {
            const auto at = truth_.find(user.name);
            if (!user.name_known) continue;
            EXPECT_NE(at, truth_.end()) << user.name;
            if (at == truth_.end()) continue;
            check_log(**store, at->second, user);
            check_state(**store, at->second, user);
            lost += user.events_lost();
            // The account adds up to all there was.
            if (user.events.empty()) continue;
            Offset next = user.events.front().first;
            for (const SalvagedRange& range : user.events) {
                EXPECT_EQ(range.first, next) << user.name;
                next = range.last + 1;
            }
            EXPECT_GE(user.events.front().first, 1U);
            EXPECT_EQ(user.whole,
                      user.items.empty() && user.notes.empty() && user.events_lost() == 0);
            if (user.notes.empty()) EXPECT_EQ(next, at->second.head().offset + 1) << user.name;
        }
        if (account.damages.empty()) EXPECT_EQ(account.users.size(), truth_.size());
        EXPECT_TRUE((*store)->apply());
        StoreCheck again = (*store)->begin_check(true);
        while (again.step()) {
        }
        for (const CheckDamage& damage : again.report().list)
            ADD_FAILURE() << damage.user_id << " " << damage.what << " " << damage.name << ": "
                          << damage.text;
        return lost;
    }

    void check_log(test::OneThreadStore& store, const SampleLog& truth, const SalvagedUser& user) {
        std::map<Offset, bool> said;  // kept or not
        for (const SalvagedRange& range : user.events)
            for (Offset offset = range.first; offset <= range.last; ++offset)
                said[offset] = range.kept;
        Offset at = 0;
        const auto loaded = store.load(user.name);
        ASSERT_TRUE(loaded) << loaded.error().to_string();
        at = loaded->first_kept - 1;
        while (at < loaded->head.offset) {
            const auto slice = store.read_log(user.name, at, 1 << 20);
            ASSERT_TRUE(slice && !slice->batches.empty());
            for (const EventBatchPtr& batch : slice->batches)
                for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
                    if (offset <= at) continue;
                    at = offset;
                    const auto event = decode_event(batch->text(offset));
                    ASSERT_TRUE(event);
                    if (event->kind == EventKind::event_lost) {
                        EXPECT_FALSE(said[offset]) << user.name << " " << offset;
                        continue;
                    }
                    EXPECT_TRUE(said[offset]) << user.name << " " << offset;
                    ASSERT_LE(offset, truth.texts().size());
                    const auto was = decode_event(truth.texts()[offset - 1]);
                    EXPECT_EQ(event->data, was->data) << user.name << " " << offset;
                    EXPECT_EQ(event->operation_id, was->operation_id);
                    EXPECT_EQ(event->timestamp_ms, was->timestamp_ms);
                    if (user.whole) EXPECT_EQ(event->text, was->text);
                }
        }
        if (user.whole) {
            EXPECT_EQ(loaded->head.hash, truth.head().hash);
            EXPECT_EQ(loaded->head.epoch, truth.head().epoch);
        } else {
            EXPECT_NE(loaded->head.epoch, truth.head().epoch) << user.name;
        }
    }

    void check_state(test::OneThreadStore& store, const SampleLog& truth,
                     const SalvagedUser& user) {
        std::map<std::string, std::string> said;  // contexts that are not as they were
        for (const SalvagedItem& item : user.items)
            if (item.kind == "context") said[item.name] = item.what;
        const bool unsure = !user.notes.empty();  // what is missing may have no name any more
        const auto loaded = store.load(user.name);
        ASSERT_TRUE(loaded);
        for (const auto& [key, context] : loaded->state.contexts) {
            std::string now, was;
            write_context(now, *context);
            bool ever = false;
            for (const std::string& text : truth.texts())
                ever = ever || text.find(now) != std::string::npos;
            EXPECT_TRUE(ever) << user.name << " " << key << " never was so: " << now;
            write_context(was, *truth.state().find(key));
            if (now != was) EXPECT_TRUE(said.contains(key) || unsure) << user.name << " " << key;
        }
        for (const auto& [key, context] : truth.state().contexts)
            if (!context->deleted && loaded->state.find(key) == nullptr)
                EXPECT_TRUE(said.contains(key) || unsure) << user.name << " " << key;
        if (user.whole)
            EXPECT_EQ(test::describe(loaded->state, false), test::describe(truth.state(), false));
    }

    void flip(const char* file, std::size_t at, std::size_t count = 1) {
        std::string bytes(count, '\0');
        for (char& c : bytes)
            c = static_cast<char>(random_.below(256));
        disk_.corrupt(file, at, bytes);
    }

    test::SeededRandom random_{11};
    FaultDisk disk_;
    test::FaultVfs vfs_;
    std::map<std::string, SampleLog> truth_;
};

}  // namespace

TEST_F(Salvage, OfAFolderThatIsWholeIsTheSameMemory) {
    fill(200);
    const auto account = run();
    ASSERT_TRUE(account) << account.error().to_string();
    for (const std::string& damage : account->damages)
        ADD_FAILURE() << damage;
    EXPECT_TRUE(account->whole());
    EXPECT_EQ(account->users.size(), 3U);
    EXPECT_EQ(check(*account), 0U);
}

TEST_F(Salvage, OfAYoungStoreReadsTheJournals) {
    fill(3);
    disk_.remove("/m.db");
    const auto account = run();
    ASSERT_TRUE(account) << account.error().to_string();
    EXPECT_EQ(account->users.size(), 3U);
    for (const SalvagedUser& user : account->users) {
        EXPECT_EQ(user.events.front().first, 1U);
        EXPECT_EQ(user.events_kept(), truth_.at(user.name).head().offset);
    }
    EXPECT_EQ(check(*account), 0U);
}

TEST_F(Salvage, KeepsWhatTheLogNoLongerHas) {
    fill(200, Expire::half);
    const auto account = run();
    ASSERT_TRUE(account) << account.error().to_string();
    EXPECT_TRUE(account->whole());
    for (const SalvagedUser& user : account->users)
        if (user.name == "ada") EXPECT_GT(user.events.front().first, 1U);
    EXPECT_EQ(check(*account), 0U);
}

TEST_F(Salvage, KeepsALogWhoseEventsAllExpired) {
    fill(200, Expire::all);
    const auto account = run();
    ASSERT_TRUE(account) << account.error().to_string();
    EXPECT_TRUE(account->whole());
    EXPECT_EQ(account->users.size(), 3U);
    auto store = test::OneThreadStore::open(options("/new.db"), random_);
    ASSERT_TRUE(store);
    for (const auto& [name, truth] : truth_) {
        const auto loaded = (*store)->load(name);
        ASSERT_TRUE(loaded);
        EXPECT_EQ(loaded->head.offset, truth.head().offset) << name;
        EXPECT_EQ(loaded->head.hash, truth.head().hash) << name;
        EXPECT_EQ(loaded->head.epoch, truth.head().epoch) << name;
        EXPECT_EQ(test::describe(loaded->state, false), test::describe(truth.state(), false));
    }
    StoreCheck check = (*store)->begin_check(true);
    while (check.step()) {
    }
    EXPECT_EQ(check.report().damages, 0U);
}

TEST_F(Salvage, NothingIsFalseAndNothingProvableIsMissingWhateverIsDamaged) {
    fill(120);
    test::SeededRandom again(1);
    const auto pristine = disk_.cut(again);
    using Damage = std::function<void(const char* file, std::size_t bytes)>;
    const std::pair<const char*, Damage> kinds[] = {
        {"a byte", [&](auto* f, auto n) { flip(f, random_.below(n)); }},
        {"ten bytes",
         [&](auto* f, auto n) {
             for (int i = 0; i < 10; ++i)
                 flip(f, random_.below(n));
         }},
        {"a page of zeros",
         [&](auto* f, auto n) {
             disk_.corrupt(f, random_.below(n / 1024) * 1024, std::string(1024, '\0'));
         }},
        {"eight random pages", [&](auto* f, auto n) { flip(f, random_.below(n), 8192); }},
        {"the first page", [&](auto* f, auto) { flip(f, 0, 1024); }},
        {"the second half", [&](auto* f, auto n) { disk_.truncate(*disk_.find(f), n / 2); }},
        {"the last byte", [&](auto* f, auto n) { disk_.truncate(*disk_.find(f), n - 1); }},
    };
    std::size_t lost = 0, damaged = 0;
    for (const auto& [kind, damage] : kinds)
        for (const char* file : {"/m.db", "/m.db-log0", "/m.db-log1"})
            for (int seed = 0; seed < 12; ++seed) {
                SCOPED_TRACE(std::string(kind) + " of " + file + ", " + std::to_string(seed));
                for (const char* name :
                     {"/new.db", "/new.db-log0", "/new.db-log1", "/new.db-journal"})
                    disk_.remove(name);
                for (const char* name : kFiles)
                    if (const auto was = pristine->find(name)) *disk_.create(name) = *was;
                random_ = test::SeededRandom(static_cast<std::uint64_t>(seed) + 100);
                damage(file, disk_.size(file));
                const auto account = run();
                ASSERT_TRUE(account) << account.error().to_string();
                const std::size_t lost_here = check(*account);
                lost += lost_here;
                // One byte costs one event, or at worst the segment whose length it says.
                if (std::string_view(kind) == "a byte") EXPECT_LE(lost_here, 16U);
                damaged += account->whole() ? 0 : 1;
                if (HasFailure()) return;
            }
    EXPECT_GT(lost, 0U);
    EXPECT_GT(damaged, 40U);
}

TEST_F(Salvage, ReadsThePartsAloneThatAreLeft) {
    struct Case {
        std::vector<const char*> missing;
    };
    const Case cases[] = {
        {{"/m.db"}}, {{"/m.db-log0"}}, {{"/m.db-log1"}}, {{"/m.db-log0", "/m.db-log1"}}};
    fill(200);
    for (const Case& one : cases) {
        SCOPED_TRACE(one.missing.front());
        test::SeededRandom again(1);
        const auto before = disk_.cut(again);
        for (const char* name : one.missing)
            disk_.remove(name);
        const auto account = run();
        ASSERT_TRUE(account) << account.error().to_string();
        EXPECT_FALSE(account->whole());
        check(*account);
        for (const char* name : {"/new.db", "/new.db-log0", "/new.db-log1", "/new.db-journal"})
            disk_.remove(name);
        for (const char* name : kFiles)
            if (const auto file = before->find(name)) *disk_.create(name) = *file;
    }
}

TEST_F(Salvage, AfterAPowerCutIsWhatAStartFinds) {
    std::size_t unfinished = 0;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        SCOPED_TRACE(seed);
        random_ = test::SeededRandom(seed + 1000);
        FaultDisk disk;
        const std::string name = "cut-" + std::to_string(seed);
        {
            const test::FaultVfs vfs(name, disk);
            StoreOptions cut = options("/m.db");
            cut.vfs = name;
            auto store = test::OneThreadStore::open(cut, random_);
            ASSERT_TRUE(store);
            std::map<std::string, SampleLog> logs;
            for (const char* user : {"ada", "bob"})
                logs.emplace(user, SampleLog(user, random_));
            std::uint64_t left = 50 + random_.below(400);
            disk.before_change = [&] {
                if (--left == 0) disk.dead = true;
            };
            try {
                for (int round = 0; round < 400; ++round)
                    for (auto& [user, log] : logs) {
                        std::vector<AppendRequest> one{log.draft(2)};
                        const AppendRequest kept = one[0];
                        std::vector<AppendResult> results;
                        (*store)->commit(one, results);
                        log.take(*kept.batch, kept.changes);
                        if (random_.below(10) == 0) (void)(*store)->apply();
                    }
            } catch (const Stopped&) {
            }
            disk.before_change = nullptr;
            disk.dead = true;
            store->reset();
        }
        const auto found = disk.cut(random_);
        const auto again = found->cut(random_);
        const test::FaultVfs start_vfs(name + "-start", *again);
        StoreOptions start = options("/m.db");
        start.vfs = start_vfs.name();
        const auto started = test::OneThreadStore::open(start, random_);
        ASSERT_TRUE(started) << started.error().to_string();
        const auto users = (*started)->reads().users();
        ASSERT_TRUE(users);
        if (users->empty()) continue;

        const test::FaultVfs salvage_vfs(name + "-salvage", *found);
        SalvageOptions of;
        of.from = "/m.db";
        of.to = "/new.db";
        of.vfs = salvage_vfs.name();
        of.journal_file_bytes = 64 * 1024;
        of.page_bytes = 1024;
        const auto account = salvage(of, random_);
        ASSERT_TRUE(account) << account.error().to_string();
        unfinished += account->whole() ? 0 : 1;
        StoreOptions saved = options("/new.db");
        saved.vfs = salvage_vfs.name();
        const auto store = test::OneThreadStore::open(saved, random_);
        ASSERT_TRUE(store) << store.error().to_string();
        for (const std::string& user : *users) {
            const auto was = (*started)->load(user);
            const auto is = (*store)->load(user);
            ASSERT_TRUE(was && is);
            // A record that was not finished may give more, but never less.
            ASSERT_GE(is->head.offset, was->head.offset) << user;
            if (is->head.offset == was->head.offset)
                ASSERT_EQ(test::describe(is->state, false), test::describe(was->state, false));
            if (account->whole()) ASSERT_EQ(is->head.epoch, was->head.epoch) << user;
        }
    }
    EXPECT_LT(unfinished, 10U);
}

}  // namespace dyad::sqlite
