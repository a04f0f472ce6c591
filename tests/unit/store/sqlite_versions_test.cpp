// What versions before this one wrote, and what newer and other programs did.
#include "unit/store/tables_rig.hpp"

#include <sqlite3.h>

namespace dyad::sqlite {

TEST_F(TablesOfStore, ANewerSchemaIsLeftAlone) {
    ASSERT_TRUE(open());
    run_sql("PRAGMA user_version=999");
    const Status opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage_newer);
}

TEST_F(TablesOfStore, AnotherProgramsDatabaseIsLeftAlone) {
    run_sql("CREATE TABLE theirs(a)");
    const Status opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::storage_damaged);
}

TEST_F(TablesOfStore, VersionOneIsMigratedWithItsData) {
    SampleLog log("ada", random_, {.keys = 3, .only_contexts = true});
    {
        auto connection = Connection::open({.path = "/m.db", .vfs = vfs_.name(), .store_id = 7});
        ASSERT_TRUE(connection);
        ASSERT_TRUE(migrate(**connection, 1));
        EXPECT_EQ(*(*connection)->number("PRAGMA user_version"), 1);
        AppendRequest request = log.draft(4);
        log.take(*request.batch, request.changes);
        std::vector<Unapplied> batches;
        batches.push_back({request.batch, request.changes});
        // What version one had no column for is taken away again.
        ASSERT_TRUE((*connection)->script("ALTER TABLE head ADD COLUMN oldest INTEGER"));
        LogTables tables(**connection, {});
        const auto user = tables.add_user("ada");
        ASSERT_TRUE(user);
        ASSERT_TRUE(tables.append(*user, batches, log.head()));
        // What writes the rows is of today.
        ASSERT_TRUE((*connection)
                        ->script("ALTER TABLE head ADD COLUMN state_sum INTEGER; "
                                 "CREATE TABLE claim(user, resource, offset, expires_at, json)"));
        ASSERT_TRUE(Projections(**connection).apply(*user, batches));
        ASSERT_TRUE((*connection)->script("ALTER TABLE head DROP COLUMN oldest"));
        ASSERT_TRUE(
            (*connection)->script("ALTER TABLE head DROP COLUMN state_sum; DROP TABLE claim"));
        ASSERT_TRUE((*connection)
                        ->script("INSERT INTO meta(key, value) VALUES('store_id', 7), "
                                 "('journal_made', 1)"));
        ASSERT_TRUE(Journal::create(
            {.vfs = sqlite3_vfs_find(vfs_.name().c_str()), .database = "/m.db", .store_id = 7},
            64 * 1024));
    }
    ASSERT_TRUE(open());
    expect_holds(log);
    EXPECT_TRUE(store_->verify("ada"));
    const auto hits = store_->search("ada", "word* OR ada", 10);
    ASSERT_TRUE(hits) << hits.error().to_string();
    EXPECT_EQ(hits->size(), log.state().live_contexts);
    grow(log, 2);
    expect_holds(log);
}

// The logs of before there was an index are read without it, and taken in when there is time.
TEST_F(TablesOfStore, VersionSixIsMigratedAndIndexedByAndBy) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_, {.keys = 3, .only_contexts = true});
    grow(log, 400);
    ASSERT_TRUE(store_->apply());
    run_sql(
        "DROP TABLE event_index; ALTER TABLE head DROP COLUMN indexed; DROP TABLE claim;"
        "PRAGMA user_version=6");
    const auto expect_found = [&] {
        for (Offset offset = 1; offset <= log.head().offset; offset += 37) {
            const auto at = store_->reads().find("ada", log.operation_at(offset));
            ASSERT_TRUE(at) << at.error().to_string();
            EXPECT_EQ(*at, std::optional<Offset>(offset));
        }
        const auto all = store_->reads().history("ada", "project:1", {.before = 0, .limit = 1000});
        ASSERT_TRUE(all) << all.error().to_string();
        ASSERT_GT(all->size(), 100U);
        EXPECT_EQ(all->back().context->version, 1U);
        for (Version version = 1; version < all->size(); version += 11) {
            const auto read = store_->reads().version("ada", "project:1", version);
            ASSERT_TRUE(read) << read.error().to_string();
            EXPECT_EQ((*read)->version, version);
        }
    };
    ASSERT_TRUE(open());
    expect_found();
    const std::uint64_t written = disk_.writes();
    while (store_->tidy()) {
    }
    EXPECT_GT(disk_.writes(), written);
    expect_found();
    crash();
    ASSERT_TRUE(open());
    expect_found();
    grow(log, 300);
    expect_found();
    store_.reset();
    auto connection = Connection::open({.path = "/m.db", .vfs = vfs_.name()});
    ASSERT_TRUE(connection);
    EXPECT_GT(*(*connection)->number("SELECT count(*) FROM event_index"), 20);
    EXPECT_EQ(*(*connection)->number("SELECT count(*) FROM meta WHERE key = 'index_from'"), 0);
}

TEST_F(TablesOfStore, AnIndexThatWasCutInAnotherWayIsMadeAnew) {
    ASSERT_TRUE(open());
    SampleLog log("ada", random_, {.keys = 3, .only_contexts = true});
    grow(log, 5);
    ASSERT_TRUE(store_->apply());
    while (store_->tidy()) {
    }
    const auto before = store_->search("ada", "word*", 10);
    ASSERT_TRUE(before && !before->empty());
    run_sql(
        "UPDATE meta SET value = 1 WHERE key = 'search_version';"
        "UPDATE search_text SET body = 'cut otherwise'");
    ASSERT_TRUE(open());
    const std::uint64_t written = disk_.writes();
    EXPECT_FALSE(store_->tidy()) << "in one piece";
    EXPECT_GT(disk_.writes(), written) << "while there is time";
    const auto after = store_->search("ada", "word*", 10);
    ASSERT_TRUE(after) << after.error().to_string();
    EXPECT_EQ(after->size(), before->size());
    EXPECT_TRUE(store_->search("ada", "otherwise", 10)->empty());
}

}  // namespace dyad::sqlite
