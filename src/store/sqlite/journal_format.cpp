#include "store/sqlite/journal_format.hpp"

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/hash64.hpp"

#include <cstring>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kHeaderMagic = "DYADJRNL";

std::uint64_t record_checksum(std::string_view front, std::string_view payload,
                              std::uint64_t store_id) {
    return hash64(payload, hash64(front, store_id));
}

std::size_t padded(std::size_t bytes) {
    return (bytes + 7) / 8 * 8;
}

}  // namespace

std::string encode_header(const JournalHeader& header) {
    std::string out(kHeaderMagic);
    put_le<std::uint32_t>(out, kJournalVersion);
    put_le<std::uint32_t>(out, header.index);
    put_le<std::uint64_t>(out, header.store_id);
    put_le<std::uint64_t>(out, header.file_bytes);
    put_le<std::uint64_t>(out, hash64(out));
    return out;
}

Result<JournalHeader> decode_header(std::string_view bytes) {
    const std::string_view whole = bytes;
    const auto magic = take_bytes(bytes, kHeaderMagic.size());
    const auto version = take_le<std::uint32_t>(bytes);
    if (!magic || *magic != kHeaderMagic || !version)
        return fail(Errc::storage_damaged, "does not begin as a journal does");
    if (*version > kJournalVersion)
        return fail(Errc::storage_newer, "a newer version of this program wrote it (format " +
                                             std::to_string(*version) + "; this version knows " +
                                             std::to_string(kJournalVersion) + ")");
    const auto index = take_le<std::uint32_t>(bytes);
    const auto store_id = take_le<std::uint64_t>(bytes);
    const auto file_bytes = take_le<std::uint64_t>(bytes);
    const std::size_t covered = whole.size() - bytes.size();
    const auto checksum = take_le<std::uint64_t>(bytes);
    if (!checksum || *checksum != hash64(whole.substr(0, covered)))
        return fail(Errc::storage_damaged, "its first bytes, the header, are damaged");
    return JournalHeader{.index = *index, .store_id = *store_id, .file_bytes = *file_bytes};
}

void append_entry(std::string& buffer, std::string_view user, std::string_view batch) {
    put_le<std::uint32_t>(buffer, static_cast<std::uint32_t>(user.size()));
    put_le<std::uint32_t>(buffer, static_cast<std::uint32_t>(batch.size()));
    buffer.append(user).append(batch);
}

void finish_record(std::string& buffer, std::uint64_t sequence, std::uint64_t store_id) {
    CHECK(buffer.size() >= kRecordHeaderBytes && buffer.size() < UINT32_MAX);
    const auto length = static_cast<std::uint32_t>(buffer.size() - kRecordHeaderBytes);
    std::memcpy(buffer.data(), &kRecordMagic, 4);
    std::memcpy(buffer.data() + 4, &length, 4);
    std::memcpy(buffer.data() + 8, &sequence, 8);
    const std::string_view all = buffer;
    const std::uint64_t checksum =
        record_checksum(all.substr(0, 16), all.substr(kRecordHeaderBytes), store_id);
    std::memcpy(buffer.data() + 16, &checksum, 8);
    buffer.resize(padded(buffer.size()), '\0');
}

std::optional<Record> read_record(std::string_view file, std::size_t at, std::uint64_t store_id) {
    if (at >= file.size()) return std::nullopt;
    std::string_view in = file.substr(at);
    const std::string_view front = in.substr(0, 16);
    const auto magic = take_le<std::uint32_t>(in);
    const auto length = take_le<std::uint32_t>(in);
    const auto sequence = take_le<std::uint64_t>(in);
    const auto checksum = take_le<std::uint64_t>(in);
    if (!checksum || *magic != kRecordMagic || *length > in.size()) return std::nullopt;
    const std::string_view payload = in.substr(0, *length);
    if (*checksum != record_checksum(front, payload, store_id)) return std::nullopt;
    return Record{.begin = at,
                  .end = at + padded(kRecordHeaderBytes + *length),
                  .sequence = *sequence,
                  .payload = payload};
}

std::optional<Entry> take_entry(std::string_view& payload) {
    const auto user_bytes = take_le<std::uint32_t>(payload);
    const auto batch_bytes = take_le<std::uint32_t>(payload);
    if (!user_bytes || !batch_bytes) return std::nullopt;
    const auto user = take_bytes(payload, *user_bytes);
    const auto batch = take_bytes(payload, *batch_bytes);
    if (!user || !batch) return std::nullopt;
    return Entry{*user, *batch};
}

Scan scan_records(std::string_view file, std::uint64_t store_id, std::uint64_t applied) {
    Scan scan;
    std::size_t at = kRecordsBegin;
    while (auto record = read_record(file, at, store_id)) {
        if (!scan.chain.empty() && record->sequence != scan.chain.back().sequence + 1) break;
        at = record->end;
        scan.chain.push_back(*record);
    }
    for (; at + kRecordHeaderBytes <= file.size(); at += 8) {
        std::uint32_t magic;
        std::uint64_t sequence;
        std::memcpy(&magic, file.data() + at, 4);
        std::memcpy(&sequence, file.data() + at + 8, 8);
        if (magic != kRecordMagic || sequence < applied || sequence <= scan.beyond_max) continue;
        if (read_record(file, at, store_id)) scan.beyond_max = sequence;
    }
    return scan;
}

}  // namespace dyad::sqlite
