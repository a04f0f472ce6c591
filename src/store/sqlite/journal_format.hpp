// The bytes of the journal. Pure: no I/O. (Integers little-endian.)
//
//     file    := header zero* record*                  records begin at kRecordsBegin, or at 8 n
//     header  := "DYADJRNL" version:u32 index:u32 store_id:u64 file_bytes:u64 checksum:u64
//     record  := magic:u32 payload_bytes:u32 sequence:u64 checksum:u64 payload padding-to-8
//     payload := entry*
//     entry   := user_bytes:u32 batch_bytes:u32 user batch       (batch: model's encode_batch)
//
// The header is written once, when the file is made. A record's checksum is seeded with the store's
// random id and covers the whole record, so neither a foreign nor a torn record is ever taken for
// one. Sequences rise by one from record to record, through both files.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sqlite {

inline constexpr std::uint32_t kJournalVersion = 1;
inline constexpr std::size_t kRecordsBegin = 4096;
inline constexpr std::size_t kRecordHeaderBytes = 24;
// Not UTF-8, so that no text of a user looks like a record.
inline constexpr std::uint32_t kRecordMagic = 0xff4a44ff;

struct JournalHeader {
    std::uint32_t index = 0;  // 0 or 1: which of the two files
    std::uint64_t store_id = 0;
    std::uint64_t file_bytes = 0;
};
std::string encode_header(const JournalHeader& header);
// Errors: storage_damaged, storage_newer.
Result<JournalHeader> decode_header(std::string_view bytes);

// Turns `buffer`, which begins with kRecordHeaderBytes of room and goes on with a payload, into a
// record.
void finish_record(std::string& buffer, std::uint64_t sequence, std::uint64_t store_id);
void append_entry(std::string& buffer, std::string_view user, std::string_view batch);

struct Record {
    std::size_t begin = 0;
    std::size_t end = 0;  // after the padding
    std::uint64_t sequence = 0;
    std::string_view payload;
};
// The record that begins at `at`; nothing where there is no whole one.
std::optional<Record> read_record(std::string_view file, std::size_t at, std::uint64_t store_id);

struct Entry {
    std::string_view user;
    std::string_view batch;
};
// Takes an entry off the front of `payload`; nothing where it is not well formed.
std::optional<Entry> take_entry(std::string_view& payload);

struct Scan {
    std::vector<Record> chain;     // from kRecordsBegin on, without a gap
    std::uint64_t beyond_max = 0;  // the highest sequence of a whole record after the chain's end
};
// Looks for records in a file's bytes. Records after the chain are searched for only where their
// sequence is `applied` or above: older ones are expected there, left from the file's last use.
Scan scan_records(std::string_view file, std::uint64_t store_id, std::uint64_t applied);

}  // namespace dyad::sqlite
