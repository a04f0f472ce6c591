// Which files of a store may be missing or different: none. What is refused stays as it is, and the
// message names the file and what is wrong with it.
#include "store/sqlite/journal_format.hpp"
#include "support/fault_vfs.hpp"
#include "support/one_thread_store.hpp"
#include "support/sample_log.hpp"

#include <cstring>
#include <functional>
#include <memory>
#include <set>

#include <gtest/gtest.h>

namespace dyad::sqlite {
namespace {

using Files = test::FaultDisk::Files;

struct Stopped {};

constexpr const char* kDatabase = "/m.db";
constexpr const char* kLog0 = "/m.db-log0";
constexpr const char* kLog1 = "/m.db-log1";
constexpr const char* kRollback = "/m.db-journal";
constexpr std::size_t kJournalBytes = 16384;

class Rig {
  public:
    explicit Rig(const std::string& name, std::uint64_t seed = 11)
        : vfs_(name, disk), name_(name), random_(seed) {}
    ~Rig() { crash(); }

    Status open() {
        crash();
        auto opened =
            test::OneThreadStore::open({.database = kDatabase,
                                        .vfs = name_,
                                        .journal_file_bytes = kJournalBytes,
                                        .apply_bytes = 8192,
                                        .page_bytes = 1024,
                                        .epoch_seed = test::kSampleSeed,
                                        .on_fatal = [](const std::string&) { throw Stopped{}; }},
                                       random_);
        if (!opened) return opened.error();
        store = std::move(*opened);
        return Done{};
    }
    void crash() {
        disk.dead = true;
        store.reset();
        disk.dead = false;
    }
    // `batches` commits of user ada; each is a record.
    void grow(int batches) {
        for (int i = 0; i < batches; ++i) {
            std::vector<AppendRequest> one{log_.draft(2)};
            const AppendRequest kept = one[0];
            std::vector<AppendResult> results;
            store->commit(one, results);
            ASSERT_EQ(results.at(0).outcome, AppendOutcome::committed);
            log_.take(*kept.batch, kept.changes);
        }
    }

    test::FaultDisk disk;
    std::unique_ptr<test::OneThreadStore> store;

  private:
    test::FaultVfs vfs_;
    std::string name_;
    test::SeededRandom random_;
    test::SampleLog log_{"ada", random_};
};

// Files of one store at several times, and of another store.
struct Times {
    Files made;     // nobody wrote yet
    Files young;    // 3 commits, in the journal only
    Files applied;  // those, in the database
    Files now;      // 3 more commits, in the journal only
    Files later;    // both journals were used again and again
    Files other;    // another store, with 3 commits
};

const Times& times() {
    static const Times all = [] {
        Times made;
        Rig rig("times");
        CHECK(rig.open());
        rig.crash();
        made.made = rig.disk.files();
        CHECK(rig.open());
        rig.grow(3);
        rig.crash();
        made.young = rig.disk.files();
        CHECK(rig.open());
        CHECK(rig.store->apply());
        rig.crash();
        made.applied = rig.disk.files();
        CHECK(rig.open());
        rig.grow(3);
        rig.crash();
        made.now = rig.disk.files();
        CHECK(rig.open());
        for (int i = 0; i < 40; ++i) {
            rig.grow(2);
            if (i % 4 == 3 && i < 38) CHECK(rig.store->apply());
        }
        rig.crash();
        made.later = rig.disk.files();
        Rig other("other", 12);
        CHECK(other.open());
        other.grow(3);
        other.crash();
        made.other = other.disk.files();
        return made;
    }();
    return all;
}

struct Form {
    const char* name;
    std::function<Files()> files;
    Errc code;
    const char* file;  // that the message begins with
    const char* says;
};

void PrintTo(const Form& form, std::ostream* out) {
    *out << form.name;
}

Files with(Files files, const std::string& name, const Files& from) {
    files[name] = from.at(name);
    return files;
}
Files without(Files files, std::initializer_list<const char*> names) {
    for (const char* name : names)
        files.erase(name);
    return files;
}
Files cut(Files files, const std::string& name, std::size_t bytes) {
    files[name].resize(bytes);
    return files;
}
Files changed(Files files, const std::string& name, std::size_t at, const std::string& bytes) {
    files[name].replace(at, bytes.size(), bytes);
    return files;
}
// The place of the record after `count` others in a file.
std::size_t record_at(const Files& files, const std::string& name, std::size_t count) {
    const std::string& bytes = files.at(name);
    std::size_t at = kRecordsBegin;
    for (; count > 0; --count) {
        std::uint32_t length;
        std::memcpy(&length, bytes.data() + at + 4, 4);
        at += (kRecordHeaderBytes + length + 7) / 8 * 8;
    }
    return at;
}
Files newer_journal(Files files) {
    std::string header = files[kLog0].substr(0, 48);
    const std::uint32_t version = kJournalVersion + 1;
    std::memcpy(header.data() + 8, &version, 4);
    return changed(std::move(files), kLog0, 0, header);
}
Files swapped(Files files) {
    std::swap(files[kLog0], files[kLog1]);
    return files;
}

const Form kForms[] = {
    {"DatabaseMissing", [] { return without(times().now, {kDatabase}); }, Errc::storage_damaged,
     kDatabase, "is missing, but /m.db-log0 is there"},
    {"DatabaseMissingYoung", [] { return without(times().young, {kDatabase}); },
     Errc::storage_damaged, kDatabase, "is missing"},
    {"DatabaseMissingUnused", [] { return without(times().made, {kDatabase}); },
     Errc::storage_damaged, kDatabase, "is missing"},
    {"DatabaseAndOneJournalMissing", [] { return without(times().now, {kDatabase, kLog0}); },
     Errc::storage_damaged, kDatabase, "is missing, but /m.db-log1 is there"},
    {"OnlyTheRollbackJournalLeft", [] { return without(times().now, {kDatabase, kLog0, kLog1}); },
     Errc::storage_damaged, kDatabase, "is missing, but /m.db-journal is there"},
    {"DatabaseEmpty", [] { return cut(times().now, kDatabase, 0); }, Errc::storage_damaged,
     kDatabase, "is empty, but /m.db-log0 is there"},
    {"DatabaseEmptyAndJournalsMissing",
     [] { return without(cut(times().now, kDatabase, 0), {kLog0, kLog1}); }, Errc::storage_damaged,
     kDatabase, "is empty, but /m.db-journal has been used for it"},
    {"DatabaseShort",
     [] { return cut(times().now, kDatabase, times().now.at(kDatabase).size() - 1); },
     Errc::storage_damaged, kDatabase, "is shorter than it was ("},
    {"DatabaseHalf", [] { return cut(times().now, kDatabase, 4096); }, Errc::storage_damaged,
     kDatabase, "is shorter than it was (4096 of "},
    {"DatabaseOnlyItsHeader", [] { return cut(times().now, kDatabase, 50); }, Errc::storage_damaged,
     kDatabase, "does not begin as a database does"},
    {"DatabaseOfZeros",
     [] {
         Files files = times().now;
         files[kDatabase].assign(files[kDatabase].size(), '\0');
         return files;
     },
     Errc::storage_damaged, kDatabase, "does not begin as a database does"},
    {"DatabaseBeforeItsTables",
     [] {
         Files files = times().now;  // an empty database of SQLite, by its header
         files[kDatabase].resize(1024);
         files[kDatabase].replace(28, 4, std::string("\0\0\0\1", 4));
         files[kDatabase].replace(60, 12, std::string(12, '\0'));
         return files;
     },
     Errc::storage_damaged, kDatabase, "has no table, but /m.db-log0"},
    {"DatabaseOlderThanItsJournals", [] { return with(times().later, kDatabase, times().young); },
     Errc::storage_damaged, kLog0, "is damaged or missing, but commit "},
    {"DatabaseUnusedBesideUsedJournals",
     [] { return with(times().later, kDatabase, times().made); }, Errc::storage_damaged, kLog0,
     "commit 1 is damaged or missing, but commit "},
    {"DatabaseOfAnotherStore", [] { return with(times().now, kDatabase, times().other); },
     Errc::storage_damaged, kLog0, "belongs to another store than /m.db"},
    {"RollbackJournalMissing", [] { return without(times().now, {kRollback}); },
     Errc::storage_damaged, kRollback, "is missing"},
    {"FirstJournalMissing", [] { return without(times().now, {kLog0}); }, Errc::storage_damaged,
     kLog0, "is missing"},
    {"SecondJournalMissing", [] { return without(times().now, {kLog1}); }, Errc::storage_damaged,
     kLog1, "is missing"},
    {"BothJournalsMissing", [] { return without(times().now, {kLog0, kLog1}); },
     Errc::storage_damaged, kLog0, "is missing"},
    {"BothJournalsMissingUnused", [] { return without(times().made, {kLog0, kLog1}); },
     Errc::storage_damaged, kLog0, "is missing"},
    {"JournalEmpty", [] { return cut(times().now, kLog1, 0); }, Errc::storage_damaged, kLog1,
     "is empty"},
    {"JournalShorterByAByte", [] { return cut(times().now, kLog1, kJournalBytes - 1); },
     Errc::storage_damaged, kLog1, "is shorter than when it was made (16383 of 16384 bytes)"},
    {"JournalHalf", [] { return cut(times().now, kLog0, 8192); }, Errc::storage_damaged, kLog0,
     "is shorter than when it was made (8192 of 16384 bytes)"},
    {"JournalLonger", [] { return cut(times().now, kLog0, kJournalBytes + 8); },
     Errc::storage_damaged, kLog0, "is longer than when it was made (16392 of 16384 bytes)"},
    {"JournalCutInItsHeader", [] { return cut(times().now, kLog0, 20); }, Errc::storage_damaged,
     kLog0, "its first bytes, the header, are damaged"},
    {"JournalWithoutItsMagic", [] { return changed(times().now, kLog0, 2, "x"); },
     Errc::storage_damaged, kLog0, "does not begin as a journal does"},
    {"JournalOfZeros", [] { return changed(times().now, kLog1, 0, std::string(4096, '\0')); },
     Errc::storage_damaged, kLog1, "does not begin as a journal does"},
    {"JournalWithADamagedHeader", [] { return changed(times().now, kLog1, 25, "x"); },
     Errc::storage_damaged, kLog1, "its first bytes, the header, are damaged"},
    {"JournalOfANewerVersion", [] { return newer_journal(times().now); }, Errc::storage_newer,
     kLog0, "a newer version of this program wrote it (format 2"},
    {"JournalsSwapped", [] { return swapped(times().now); }, Errc::storage_damaged, kLog0,
     "has the content of -log1"},
    {"JournalOfAnotherStore", [] { return with(times().now, kLog1, times().other); },
     Errc::storage_damaged, kLog1, "belongs to another store than /m.db"},
    {"JournalsOfAnotherStore",
     [] { return with(with(times().now, kLog0, times().other), kLog1, times().other); },
     Errc::storage_damaged, kLog0, "belongs to another store than /m.db"},
    {"JournalsOlderThanTheDatabase",
     [] { return with(with(times().later, kLog0, times().young), kLog1, times().young); },
     Errc::storage_damaged, kLog0, "end at commit 3, but /m.db has commit "},
    {"JournalsUnusedBesideAUsedDatabase",
     [] { return with(with(times().applied, kLog0, times().made), kLog1, times().made); },
     Errc::storage_damaged, kLog0, "end at commit 0, but /m.db has commit 3"},
    {"RecordDamagedInTheMiddle",
     [] { return changed(times().now, kLog0, record_at(times().now, kLog0, 4) + 40, "?"); },
     Errc::storage_damaged, kLog0, "commit 5 is damaged or missing, but commit 6 after it"},
    {"RecordsZeroed",
     [] {
         const std::size_t at = record_at(times().young, kLog0, 1);
         return changed(times().young, kLog0, at, std::string(24, '\0'));
     },
     Errc::storage_damaged, kLog0, "commit 2 is damaged or missing, but commit 3 after it"},
};

std::string differing(const Files& before, const Files& after) {
    std::string names;
    for (const Files* from : {&before, &after})
        for (const auto& [name, bytes] : *from)
            if (!before.contains(name) || !after.contains(name) ||
                before.at(name) != after.at(name))
                names += name + " ";
    return names;
}

}  // namespace

class NotWhole : public testing::TestWithParam<Form> {};

TEST_P(NotWhole, IsRefusedByNameAndLeftAsItIs) {
    const Form& form = GetParam();
    Rig rig(std::string("not-whole-") + form.name);
    const Files before = form.files();
    rig.disk.put(before);
    const std::uint64_t writes = rig.disk.writes();
    const Status opened = rig.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, form.code) << opened.error().to_string();
    const std::string& detail = opened.error().detail;
    EXPECT_TRUE(detail.starts_with(form.file)) << detail;
    EXPECT_NE(detail.find(form.says), std::string::npos) << detail;
    EXPECT_NE(detail.find("backup"), std::string::npos) << detail;
    EXPECT_EQ(differing(before, rig.disk.files()), "");
    EXPECT_EQ(rig.disk.writes(), writes) << "not even the same bytes";
}

INSTANTIATE_TEST_SUITE_P(Forms, NotWhole, testing::ValuesIn(kForms),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(WholeStore, OpensAtEachOfItsTimes) {
    for (const Files* files :
         {&times().made, &times().young, &times().applied, &times().now, &times().later}) {
        Rig rig("whole");
        rig.disk.put(*files);
        EXPECT_TRUE(rig.open());
    }
}

TEST(WholeStore, TheByteOfADamagedCommitIsNamed) {
    Rig rig("byte");
    const std::size_t at = record_at(times().young, kLog0, 1);
    rig.disk.put(changed(times().young, kLog0, at + 30, "?"));
    const Status opened = rig.open();
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().detail.find("at byte " + std::to_string(at) + ":"), std::string::npos)
        << opened.error().detail;
}

// What is applied is read from the database; the journal goes on beside the damage.
TEST(WholeStore, DamageAmongAppliedRecordsLosesNothingLater) {
    Rig rig("among");
    rig.disk.put(changed(times().applied, kLog0, record_at(times().applied, kLog0, 1) + 30, "?"));
    ASSERT_TRUE(rig.open());
    test::SeededRandom random(3);
    test::SampleLog bob("bob", random);
    std::vector<AppendRequest> one{bob.draft(2)};
    std::vector<AppendResult> results;
    rig.store->commit(one, results);
    ASSERT_EQ(results.at(0).outcome, AppendOutcome::committed);
    const Status again = rig.open();
    ASSERT_TRUE(again) << again.error().to_string();
    const auto loaded = rig.store->load("bob");
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->head.offset, 2U);
}

// Each state that a power cut can leave of a first start is gone on from.
TEST(WholeStore, AFirstStartThatWasBrokenOffIsFinishedByTheNext) {
    std::set<std::string> states;
    for (int change = 1;; ++change) {
        Rig rig("first");
        int left = change;
        rig.disk.before_change = [&] {  // this one, and no other after it
            if (--left == 0) rig.disk.dead = true;
        };
        bool whole = false;
        try {
            whole = rig.open().has_value();
        } catch (const Stopped&) {
        }
        rig.disk.before_change = nullptr;
        rig.disk.dead = false;
        test::SeededRandom random(static_cast<std::uint64_t>(change));
        for (int luck = 0; luck < 5 && !whole; ++luck) {
            const auto after = rig.disk.cut(random);
            std::string state;
            for (const auto& [name, bytes] : after->files())
                state += name + ":" + std::to_string(bytes.size()) + " ";
            states.insert(state);
            Rig next("next");
            next.disk.put(after->files());
            const Status opened = next.open();
            ASSERT_TRUE(opened) << "after change " << change << ", " << state << ": "
                                << opened.error().to_string();
            next.grow(1);
        }
        rig.crash();
        if (whole) break;
    }
    EXPECT_GT(states.size(), 8U);
}

}  // namespace dyad::sqlite
