#include "store/sqlite/journal_format.hpp"

#include <cstring>

#include <gtest/gtest.h>

namespace dyad::sqlite {
namespace {

constexpr std::uint64_t kStore = 0x1234;

std::string record(std::uint64_t sequence, std::string_view text, std::uint64_t store = kStore) {
    std::string buffer(kRecordHeaderBytes, '\0');
    append_entry(buffer, "ada", text);
    finish_record(buffer, sequence, store);
    return buffer;
}

// A file whose records begin where they should.
std::string file_of(std::initializer_list<std::string> records) {
    std::string file(kRecordsBegin, '\0');
    for (const std::string& next : records)
        file += next;
    file.resize(file.size() + 4096, '\0');
    return file;
}

}  // namespace

TEST(JournalHeader, RoundTrips) {
    const std::string bytes = encode_header({.index = 1, .store_id = kStore, .file_bytes = 8192});
    const auto header = decode_header(bytes);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->index, 1U);
    EXPECT_EQ(header->store_id, kStore);
    EXPECT_EQ(header->file_bytes, 8192U);
}

TEST(JournalHeader, TellsDamageFromANewerVersion) {
    const std::string good = encode_header({.index = 0, .store_id = kStore, .file_bytes = 8192});
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] ^= 1;
        EXPECT_FALSE(decode_header(bad)) << at;
        EXPECT_FALSE(decode_header(good.substr(0, at))) << at;
    }
    std::string newer = good;
    newer[8] = 9;
    EXPECT_EQ(decode_header(newer).error().code, Errc::storage_newer);
}

TEST(JournalRecord, GivesBackItsEntries) {
    std::string buffer(kRecordHeaderBytes, '\0');
    append_entry(buffer, "ada", "first");
    append_entry(buffer, "", std::string(1000, 'x'));
    finish_record(buffer, 7, kStore);
    EXPECT_EQ(buffer.size() % 8, 0U);
    const auto read = read_record(buffer, 0, kStore);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->sequence, 7U);
    EXPECT_EQ(read->end, buffer.size());
    std::string_view payload = read->payload;
    const auto first = take_entry(payload);
    const auto second = take_entry(payload);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->user, "ada");
    EXPECT_EQ(first->batch, "first");
    EXPECT_EQ(second->batch.size(), 1000U);
    EXPECT_TRUE(payload.empty());
}

TEST(JournalRecord, IsRefusedWithAnyBitChangedOrCutShort) {
    const std::string good = record(3, "hello");
    const std::size_t covered = kRecordHeaderBytes + 8 + 3 + 5;  // the padding is not
    for (std::size_t at = 0; at < covered; ++at) {
        std::string bad = good;
        bad[at] ^= 0x10;
        EXPECT_FALSE(read_record(bad, 0, kStore)) << at;
        EXPECT_FALSE(read_record(good.substr(0, at), 0, kStore)) << at;
    }
    EXPECT_FALSE(read_record(good, 0, kStore + 1)) << "another store's";
}

TEST(JournalScan, FollowsTheChainToItsEnd) {
    const std::string file = file_of({record(5, "a"), record(6, "b"), record(7, "c")});
    const Scan scan = scan_records(file, kStore, 0);
    ASSERT_EQ(scan.chain.size(), 3U);
    EXPECT_EQ(scan.chain.front().sequence, 5U);
    EXPECT_EQ(scan.chain.back().sequence, 7U);
    EXPECT_EQ(scan.beyond_max, 0U);
}

TEST(JournalScan, StopsAtWhatTheFilesLastUseLeft) {
    const std::string file = file_of({record(50, "a"), record(51, "b"), record(12, "old")});
    const Scan scan = scan_records(file, kStore, 49);
    EXPECT_EQ(scan.chain.size(), 2U);
    EXPECT_EQ(scan.beyond_max, 0U);
}

TEST(JournalScan, SeesARecordBeyondADamagedOne) {
    std::string torn = record(6, "b");
    torn[kRecordHeaderBytes + 9] ^= 1;
    const std::string file = file_of({record(5, "a"), torn, record(7, "c")});
    const Scan scan = scan_records(file, kStore, 4);
    EXPECT_EQ(scan.chain.size(), 1U);
    EXPECT_EQ(scan.beyond_max, 7U);
}

TEST(JournalScan, IsNotFooledByARecordInsideAText) {
    // What a user could store, if he knew the format but not the store's id.
    const std::string file = file_of({record(5, record(6, "forged", 0))});
    const Scan scan = scan_records(file, kStore, 4);
    EXPECT_EQ(scan.chain.size(), 1U);
    EXPECT_EQ(scan.beyond_max, 0U);
}

TEST(JournalScan, TakesAnyBytes) {
    EXPECT_TRUE(scan_records("", kStore, 0).chain.empty());
    EXPECT_TRUE(scan_records(std::string(5000, '\xff'), kStore, 0).chain.empty());
    std::string huge = file_of({record(1, "a")});
    const std::uint32_t length = 0xffffffff;
    std::memcpy(huge.data() + kRecordsBegin + 4, &length, 4);
    EXPECT_TRUE(scan_records(huge, kStore, 0).chain.empty());
}

}  // namespace dyad::sqlite
