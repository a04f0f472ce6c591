// The epoch of a log that has no event yet.
#include "support/fault_vfs.hpp"
#include "support/one_thread_store.hpp"
#include "support/sample_log.hpp"

#include <set>

#include <gtest/gtest.h>

namespace dyad::sqlite {

TEST(Epochs, AreOfOneStoreAndStay) {
    const auto epoch_in = [](std::uint64_t seed) {
        test::FaultDisk disk;
        const test::FaultVfs vfs("epochs" + std::to_string(seed), disk);
        test::SeededRandom random(seed);
        std::set<Epoch> epochs;
        for (int start = 0; start < 2; ++start) {
            const auto store = test::OneThreadStore::open(
                {.database = "/m.db", .vfs = vfs.name(), .journal_file_bytes = 64 * 1024}, random);
            EXPECT_TRUE(store);
            epochs.insert((*store)->load("ada")->head.epoch);
        }
        EXPECT_EQ(epochs.size(), 1u) << "it stays over a restart";
        return *epochs.begin();
    };
    EXPECT_NE(epoch_in(1), epoch_in(2));
}

// A log that the backup does not know may have been there before it.
TEST(Epochs, ARestoreRenewsThoseOfLogsWithoutEvents) {
    test::FaultDisk disk;
    const test::FaultVfs vfs("renewed", disk);
    test::SeededRandom random(1);
    const StoreOptions options{
        .database = "/m.db", .vfs = vfs.name(), .journal_file_bytes = 64 * 1024};
    auto store = test::OneThreadStore::open(options, random);
    ASSERT_TRUE(store);
    const Epoch before = (*store)->load("ada")->head.epoch;
    ASSERT_TRUE((*store)->tables().renew_epochs(random));
    const Epoch renewed = (*store)->load("ada")->head.epoch;
    EXPECT_NE(renewed, before);
    store->reset();
    store = test::OneThreadStore::open(options, random);
    ASSERT_TRUE(store);
    EXPECT_EQ((*store)->load("ada")->head.epoch, renewed);
}

}  // namespace dyad::sqlite
