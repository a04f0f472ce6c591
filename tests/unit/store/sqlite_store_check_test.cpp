// The check of a store: it finds whatever is changed, names it, and takes nothing for damage that
// was written while it ran.
#include "store/sqlite/store_check.hpp"
#include "unit/store/tables_rig.hpp"

#include <algorithm>

namespace dyad::sqlite {
namespace {

class Check : public TablesOfStore {
  protected:
    StoreOptions options() const override {
        StoreOptions options = TablesOfStore::options();
        options.apply_bytes = 24 * 1024;
        options.segments = {.events_max = 16, .bytes_max = 6000, .merge_below_bytes = 900};
        return options;
    }
    CheckReport run() {
        StoreCheck check = store_->begin_check(true);
        while (check.step()) {
        }
        return check.report();
    }
    void change(const std::string& sql) {
        run_sql(sql);
        ASSERT_GT(changed_, 0) << sql;
    }
};

std::string described(const CheckReport& report) {
    std::string out;
    for (const CheckDamage& damage : report.list)
        out += damage.user_id + " " + damage.what + " " + damage.name + ": " + damage.text + "\n";
    return out;
}

}  // namespace

TEST_F(Check, FindsNothingInAStoreThatIsWhole) {
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_), bob("bob", random_);
    grow(ada, 60);
    grow(bob, 30);
    ASSERT_TRUE(store_->apply());
    const CheckReport report = run();
    EXPECT_EQ(report.damages, 0U) << described(report);
    EXPECT_EQ(report.users, 2U);
    EXPECT_EQ(report.events, 180U);
    EXPECT_GT(report.rows, 10U);
    EXPECT_GT(report.records, 0U);
    EXPECT_GT(report.pages, 50U);
}

TEST_F(Check, NamesWhateverIsChanged) {
    struct Case {
        const char* sql;
        const char* what;
        const char* name;
    };
    constexpr Case kCases[] = {
        {"UPDATE context SET json = replace(json, 'word', 'wort') WHERE key = 'project:1'",
         "context", "project:1"},
        {"UPDATE context SET json = replace(json, '\"version\":', '\"version\":1') "
         "WHERE key = 'project:2'",
         "context", "project:2"},
        {"UPDATE context SET json = '{' WHERE key = 'project:3'", "context", "project:3"},
        {"UPDATE context SET offset = 1 WHERE key = 'project:4'", "context", "project:4"},
        {"DELETE FROM context WHERE key = 'project:1'", "context", "project:1"},
        {"UPDATE mode_state SET json = replace(json, '\"syncVersion\":', '\"syncVersion\":1') "
         "WHERE instance = 'instance-1'",
         "mode", "instance-1"},
        {"DELETE FROM mode_state WHERE instance = 'instance-0'", "mode", "instance-0"},
        {"DELETE FROM mode_transition WHERE offset = (SELECT min(offset) FROM mode_transition)",
         "transition", ""},
        {"UPDATE response SET json = replace(json, '\"responseHash\":\"00', "
         "'\"responseHash\":\"01') WHERE offset = (SELECT max(offset) FROM response)",
         "response", ""},
        {"DELETE FROM response WHERE offset = (SELECT min(offset) FROM response)", "response", ""},
        {"UPDATE conflict SET json = '{}'", "conflict", ""},
        {"UPDATE head SET offset = offset - 1", "log", ""},
        {"UPDATE head SET hash = zeroblob(32)", "log", ""},
        {"UPDATE users SET name = 'eve'", "user", "eve"},
        {"UPDATE segment SET keys = zeroblob(length(keys)) WHERE first_offset = 1", "log",
         "from event 1"},
        {"DELETE FROM segment WHERE first_offset > 1 AND first_offset < 40", "log", ""},
    };
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_);
    grow(ada, 60);
    ASSERT_TRUE(store_->apply());
    store_.reset();
    const auto pristine = disk_.cut(random_);
    for (const Case& one : kCases) {
        SCOPED_TRACE(one.sql);
        store_.reset();
        for (const char* name : {"/m.db", "/m.db-journal", "/m.db-log0", "/m.db-log1"})
            if (const auto was = pristine->find(name)) *disk_.create(name) = *was;
        change(one.sql);
        ASSERT_TRUE(open());
        const CheckReport report = run();
        EXPECT_GT(report.damages, 0U);
        EXPECT_TRUE(std::any_of(report.list.begin(), report.list.end(),
                                [&](const CheckDamage& damage) {
                                    return damage.what == one.what &&
                                           (*one.name == '\0' || damage.name == one.name);
                                }))
            << described(report);
        // Each is named once, and nothing else is blamed for it.
        EXPECT_LE(report.damages, 2U) << described(report);
    }
}

TEST_F(Check, TakesNothingForDamageThatIsWrittenWhileItRuns) {
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_), bob("bob", random_);
    grow(ada, 40);
    grow(bob, 40);
    ASSERT_TRUE(store_->apply());
    for (int round = 0; round < 150; ++round) {
        StoreCheck check = store_->begin_check(false);
        int step = 0;
        while (check.step()) {
            ++step;
            if (random_.below(3) == 0) grow(random_.below(2) == 0 ? ada : bob, 1);
            if (random_.below(4) == 0) ASSERT_TRUE(store_->apply());
            if (random_.below(40) == 0) {
                const auto& texts = ada.texts();
                Tables::Expiry walk{.before_ms =
                                        decode_event(texts[texts.size() - 30])->timestamp_ms};
                while (!walk.finished)
                    ASSERT_TRUE(store_->expire_some(walk));
            }
        }
        ASSERT_GT(step, 10);
        ASSERT_EQ(check.report().damages, 0U) << round << "\n" << described(check.report());
    }
}

TEST_F(Check, ReadsTheJournalFromTheDisk) {
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_);
    grow(ada, 5);
    disk_.corrupt("/m.db-log0", kRecordsBegin + 40, "x");
    const CheckReport report = run();
    ASSERT_EQ(report.damages, 1U) << described(report);
    EXPECT_EQ(report.list[0].what, "record");
    EXPECT_NE(report.list[0].text.find("log0: the commits from byte 4096"), std::string::npos)
        << report.list[0].text;
}

TEST_F(Check, ReadsRowsFromTheDiskAndNotFromMemory) {
    ASSERT_TRUE(open());
    SampleLog ada("ada", random_);
    grow(ada, 60);
    ASSERT_TRUE(store_->apply());
    ASSERT_TRUE(store_->load("ada"));  // it is in memory now
    const std::string bytes = disk_.find("/m.db")->shown;
    std::size_t changed = 0;
    for (std::size_t at = bytes.find("word"); at != std::string::npos;
         at = bytes.find("word", at + 1), ++changed)
        disk_.corrupt("/m.db", at, "wort");
    ASSERT_GT(changed, 10U);
    EXPECT_GT(run().damages, 10U);
}

}  // namespace dyad::sqlite
