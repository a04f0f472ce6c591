#include "store/sqlite/journal.hpp"

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace dyad::sqlite {
namespace {

std::string half_path(const Journal::Place& place, std::size_t index) {
    return place.database + "-log" + std::to_string(index);
}

Error damaged(const std::string& path, const std::string& what) {
    return fail(Errc::storage_damaged, path + ": " + what + "; " + kDamageAdvice);
}

std::string of_bytes(std::uint64_t is, std::uint64_t was) {
    return " (" + std::to_string(is) + " of " + std::to_string(was) + " bytes)";
}

// Against the header, which is whole.
Status check_belongs(const std::string& path, const JournalHeader& header,
                     const Journal::Place& place, std::size_t index, std::uint64_t bytes) {
    if (header.store_id != place.store_id)
        return damaged(path, "belongs to another store than " + place.database +
                                 ": files of two folders or backups were mixed");
    if (header.index != index)
        return damaged(path, "has the content of -log" + std::to_string(header.index) +
                                 ": the two files were swapped or one copied over the other");
    if (bytes < header.file_bytes)
        return damaged(path,
                       "is shorter than when it was made" + of_bytes(bytes, header.file_bytes));
    if (bytes > header.file_bytes)
        return damaged(path,
                       "is longer than when it was made" + of_bytes(bytes, header.file_bytes));
    return Done{};
}

// Where a journal is to be made, at most the zeros and the header of an attempt may be.
Status check_has_no_records(const File& file) {
    ASSIGN_OR_RETURN(const Pages pages, file.read_all());
    const std::string_view bytes = pages;
    if (bytes.size() <= kRecordsBegin ||
        bytes.find_first_not_of('\0', kRecordsBegin) == std::string::npos)
        return Done{};
    return damaged(file.path(),
                   "has records, but the database says that it was never used: the "
                   "database is older than it, or another one");
}

// Where the zeros at the end of a file begin, at a multiple of 8.
std::size_t end_of_use(std::string_view bytes) {
    std::size_t end = bytes.size() / 8 * 8;
    for (std::uint64_t word = 0; end != 0; end -= 8) {
        std::memcpy(&word, bytes.data() + end - 8, 8);
        if (word != 0) break;
    }
    return end;
}

}  // namespace

Status Journal::create(const Place& place, std::size_t file_bytes) {
    const std::string zeros(64 * 1024, '\0');
    for (std::size_t index = 0; index < 2; ++index) {
        ASSIGN_OR_RETURN(auto file, File::open(*place.vfs, half_path(place, index), true));
        TRY(check_has_no_records(*file));
        TRY(file->truncate(0));
        for (std::size_t at = 0; at < file_bytes; at += zeros.size())
            TRY(file->write(
                at, std::string_view(zeros).substr(0, std::min(zeros.size(), file_bytes - at))));
        TRY(file->write(0, encode_header({.index = static_cast<std::uint32_t>(index),
                                          .store_id = place.store_id,
                                          .file_bytes = file_bytes})));
        TRY(file->sync());
    }
    return Done{};
}

Status Journal::open_half(std::size_t index, Recovered& recovered) {
    const std::string path = half_path(place_, index);
    ASSIGN_OR_RETURN(const auto there, File::look(*place_.vfs, path));
    if (there.value_or(0) == 0)
        return damaged(path, (there ? std::string("is empty") : std::string("is missing")) +
                                 ": the newest writes are in it, and not yet in " +
                                 place_.database);
    Half& half = halves_[index];
    ASSIGN_OR_RETURN(half.file, File::open(*place_.vfs, path, false));
    ASSIGN_OR_RETURN(Pages bytes, half.file->read_all());
    const Result<JournalHeader> header = decode_header(bytes);
    if (!header && header.error().code == Errc::storage_newer)
        return fail(Errc::storage_newer, path + ": " + header.error().detail +
                                             "; use that version, or restore a backup made before");
    if (!header) return damaged(path, header.error().detail);
    TRY(check_belongs(path, *header, place_, index, bytes.size()));
    file_bytes_ = bytes.size();
    recovered.bytes = std::move(bytes);
    half.used = std::max(kRecordsBegin, end_of_use(recovered.bytes));
    recovered.scan = scan_records(recovered.bytes, place_.store_id, applied_);
    half.last_sequence = recovered.scan.beyond_max;
    if (!recovered.scan.chain.empty()) {
        half.end = recovered.scan.chain.back().end;
        half.last_sequence = std::max(half.last_sequence, recovered.scan.chain.back().sequence);
    }
    return Done{};
}

Status Journal::check_dense(const std::array<Recovered, 2>& recovered, std::uint64_t end) const {
    std::uint64_t highest = 0;
    for (const Recovered& half : recovered) {
        highest = std::max(highest, half.scan.beyond_max);
        if (!half.scan.chain.empty()) highest = std::max(highest, half.scan.chain.back().sequence);
    }
    if (highest > end)
        return damaged(
            place_after(recovered, end),
            "commit " + std::to_string(end + 1) + " is damaged or missing, but commit " +
                std::to_string(highest) +
                " after it is whole; acknowledged data would be lost (the database may be "
                "older than the journals)");
    // The last applied record stays until others have taken its place.
    if (highest < applied_)
        return damaged(half_path(place_, 0) + ", -log1",
                       "end at commit " + std::to_string(highest) + ", but " + place_.database +
                           " has commit " + std::to_string(applied_) +
                           ": the journals are older than it, or damaged there, and what came "
                           "after may be missing");
    return Done{};
}

// The file and the byte where the record after `end` should be; both files where `end` is in none.
std::string Journal::place_after(const std::array<Recovered, 2>& recovered,
                                 std::uint64_t end) const {
    const auto at = [&](std::size_t index, std::size_t byte) {
        return half_path(place_, index) + " at byte " + std::to_string(byte);
    };
    for (std::size_t i = 0; i < 2; ++i) {
        const Scan& scan = recovered[i].scan;
        if (scan.chain.empty() || scan.chain.back().sequence != end) continue;
        const bool goes_on_there = scan.beyond_max <= end && recovered[1 - i].scan.beyond_max > end;
        return goes_on_there ? at(1 - i, kRecordsBegin) : at(i, scan.chain.back().end);
    }
    for (std::size_t i = 0; i < 2 && end == 0; ++i)  // the first of all
        if (recovered[i].scan.chain.empty() && recovered[i].scan.beyond_max != 0)
            return at(i, kRecordsBegin);
    return half_path(place_, 0) + ", -log1";
}

// The records of both files that follow the applied one without a gap, in order.
std::vector<Record> Journal::dense_run(const std::array<Recovered, 2>& recovered) const {
    std::vector<Record> run;
    for (int turn = 0; turn < 2; ++turn)  // it may begin in either file
        for (const Recovered& half : recovered)
            for (const Record& record : half.scan.chain)
                if (record.sequence == applied_ + run.size() + 1) run.push_back(record);
    return run;
}

Status Journal::make_durable(std::size_t index, const Recovered& recovered) {
    const auto& chain = recovered.scan.chain;
    const auto first = std::find_if(chain.begin(), chain.end(), [this](const Record& record) {
        return record.sequence > applied_;
    });
    if (first == chain.end()) return Done{};
    constexpr std::size_t kPiece = 1 << 20;
    for (std::size_t at = first->begin; at < chain.back().end; at += kPiece) {
        const std::size_t bytes = std::min(kPiece, chain.back().end - at);
        TRY(halves_[index].file->write(at, std::string_view(recovered.bytes).substr(at, bytes)));
    }
    return halves_[index].file->sync();
}

Result<std::unique_ptr<Journal>> Journal::open(const Place& place, std::uint64_t applied,
                                               const Replay& replay) {
    std::unique_ptr<Journal> journal(new Journal(place));
    journal->applied_ = applied;
    std::array<Recovered, 2> recovered;
    for (std::size_t index = 0; index < 2; ++index)
        TRY(journal->open_half(index, recovered[index]));

    const std::vector<Record> to_apply = journal->dense_run(recovered);
    const std::uint64_t end = applied + to_apply.size();
    TRY(journal->check_dense(recovered, end));
    journal->next_sequence_ = end + 1;
    journal->active_ =
        journal->halves_[1].last_sequence > journal->halves_[0].last_sequence ? 1 : 0;
    // Where an applied record before the last one is damaged, the next would not continue the run
    // of whole ones: it begins the other file.
    const auto& run = recovered[journal->active_].scan.chain;
    if (end != 0 && (run.empty() || run.back().sequence != end))
        journal->halves_[journal->active_].end = journal->file_bytes_;
    for (const Record& record : to_apply)
        TRY(replay(record.payload, record.end - record.begin));
    // Only now that nothing speaks against the files is anything written.
    for (std::size_t index = 0; index < 2; ++index)
        TRY(journal->make_durable(index, recovered[index]));
    return journal;
}

void Journal::begin() {
    constexpr std::size_t kKeepBytes = 1 << 20;
    if (record_.capacity() > kKeepBytes) record_ = std::string();
    record_.assign(kRecordHeaderBytes, '\0');
}

void Journal::add(std::string_view user, std::string_view batch) {
    append_entry(record_, user, batch);
}

std::size_t Journal::record_bytes() const noexcept {
    return (record_.size() + 7) / 8 * 8;
}

bool Journal::has_room(std::size_t bytes) const noexcept {
    if (halves_[active_].end + bytes <= file_bytes_) return true;
    const Half& other = halves_[1 - active_];
    return other.last_sequence <= applied_ && bytes <= record_bytes_max();
}

Status Journal::write() {
    CHECK(has_room(record_bytes()));
    const bool switching = halves_[active_].end + record_bytes() > file_bytes_;
    return write_into(switching ? 1 - active_ : active_);
}

Status Journal::write_into(std::size_t index) {
    finish_record(record_, next_sequence_, place_.store_id);
    Half& half = halves_[index];
    const std::size_t at = index == active_ ? half.end : kRecordsBegin;
    half.used = std::max(half.used, at + record_.size());
    TRY(half.file->write(at, record_));
    if (index != active_) half.use += 1;
    active_ = index;
    half.end = at + record_.size();
    half.last_sequence = next_sequence_++;
    return Done{};
}

Result<bool> Journal::check_record(Cursor& cursor) const {
    while (cursor.half < halves_.size()) {
        const Half& half = halves_[cursor.half];
        if (cursor.use != half.use)  // written over meanwhile
            cursor = {.half = cursor.half, .at = kRecordsBegin, .use = half.use};
        if (cursor.at < half.end && half.end < file_bytes_) break;
        const std::size_t next = cursor.half + 1;
        cursor = {.half = next, .use = next < halves_.size() ? halves_[next].use : 0};
    }
    if (cursor.half == halves_.size()) return false;
    const Half& half = halves_[cursor.half];
    ASSIGN_OR_RETURN(const std::string head, half.file->read(cursor.at, kRecordHeaderBytes));
    std::string_view in = std::string_view(head).substr(std::min<std::size_t>(4, head.size()));
    const std::size_t length = kRecordHeaderBytes + take_le<std::uint32_t>(in).value_or(0);
    ASSIGN_OR_RETURN(const std::string bytes,
                     half.file->read(cursor.at, std::min(length, half.end - cursor.at)));
    const auto record = read_record(bytes, 0, place_.store_id);
    const std::size_t at = std::exchange(cursor.at, record ? cursor.at + record->end : half.end);
    // All of it is in the database already: nothing of it will be read again.
    if (record || half.last_sequence <= applied_) return true;
    return damaged(half.file->path(), "the commits from byte " + std::to_string(at) +
                                          " on are not as they were written");
}

Status Journal::sync() {
    return halves_[active_].file->sync();
}

Status Journal::turn_over() {
    const bool empty = halves_[active_].end <= kRecordsBegin + kRecordHeaderBytes;
    if (empty || halves_[1 - active_].last_sequence > applied_) return Done{};
    const bool all_applied = applied_ == last_sequence();
    begin();
    TRY(write_into(1 - active_));
    if (all_applied) applied_ = last_sequence();
    return sync();
}

Result<bool> Journal::erase_some() {
    constexpr std::size_t kPiece = 64 * 1024;  // about as long as a commit
    for (std::size_t index = 0; index < halves_.size(); ++index) {
        Half& half = halves_[index];
        const bool needed = index == active_ || half.last_sequence > applied_;
        const std::size_t from = needed ? half.end : kRecordsBegin;
        if (half.used <= from) continue;
        const std::size_t at = std::max(from, half.used - std::min(half.used, kPiece));
        TRY(half.file->write(at, std::string(half.used - at, '\0')));
        TRY(half.file->sync());
        half.used = at;
        return true;
    }
    return false;
}

}  // namespace dyad::sqlite
