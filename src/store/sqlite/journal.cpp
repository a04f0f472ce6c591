#include "store/sqlite/journal.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <vector>

namespace dyad::sqlite {
namespace {

std::string half_path(const Journal::Place& place, std::size_t index) {
    return place.database + "-log" + std::to_string(index);
}

Error of_file(const File& file, const Error& error) {
    return fail(error.code,
                std::string(file.path()) + ": " + error.detail +
                    "; restore the folder from a backup, or keep it for examination",
                error.where);
}

}  // namespace

Status Journal::create(const Place& place, std::size_t file_bytes) {
    const std::string zeros(64 * 1024, '\0');
    for (std::size_t index = 0; index < 2; ++index) {
        auto file = File::open(*place.vfs, half_path(place, index), true);
        if (!file) return file.error();
        Status done = (*file)->truncate(0);
        for (std::size_t at = 0; done && at < file_bytes; at += zeros.size())
            done = (*file)->write(
                at, std::string_view(zeros).substr(0, std::min(zeros.size(), file_bytes - at)));
        if (done)
            done = (*file)->write(0, encode_header({.index = static_cast<std::uint32_t>(index),
                                                    .store_id = place.store_id,
                                                    .file_bytes = file_bytes}));
        if (done) done = (*file)->sync();
        if (!done) return done.error();
    }
    return Done{};
}

Status Journal::open_half(std::size_t index, Recovered& recovered) {
    auto opened = File::open(*place_.vfs, half_path(place_, index), false);
    if (!opened)
        return fail(opened.error().code, opened.error().detail +
                                             "; the file belongs to the database: let the server's "
                                             "user write it, or restore the folder from a backup");
    Half& half = halves_[index];
    half.file = std::move(*opened);
    const Result<std::uint64_t> size = half.file->size();
    if (!size) return size.error();
    Result<std::string> bytes = half.file->read(0, *size);
    if (!bytes) return bytes.error();
    const Result<JournalHeader> header = decode_header(*bytes);
    if (!header) return of_file(*half.file, header.error());
    if (header->store_id != place_.store_id || header->index != index ||
        header->file_bytes != bytes->size() || bytes->size() % 8 != 0)
        return of_file(*half.file,
                       fail(Errc::storage_damaged, "it does not belong to this database"));
    file_bytes_ = bytes->size();
    recovered.bytes = *std::move(bytes);
    recovered.scan = scan_records(recovered.bytes, place_.store_id, applied_);
    half.last_sequence = recovered.scan.beyond_max;
    if (!recovered.scan.chain.empty()) {
        half.end = recovered.scan.chain.back().end;
        half.last_sequence = std::max(half.last_sequence, recovered.scan.chain.back().sequence);
    }
    return Done{};
}

Status Journal::check_dense(const std::array<Recovered, 2>& recovered, std::uint64_t end) const {
    std::uint64_t beyond = 0;
    for (const Recovered& half : recovered) {
        beyond = std::max(beyond, half.scan.beyond_max);
        if (!half.scan.chain.empty()) beyond = std::max(beyond, half.scan.chain.back().sequence);
    }
    if (beyond <= end) return Done{};
    return fail(Errc::storage_damaged,
                place_.database + "-log0, -log1: commit " + std::to_string(end + 1) +
                    " is damaged or missing, but commit " + std::to_string(beyond) +
                    " is there; acknowledged data would be lost. Restore the folder from a "
                    "backup, or keep it for examination");
}

Status Journal::replay_all(const std::array<Recovered, 2>& recovered, const Replay& replay) const {
    for (std::uint64_t sequence = applied_ + 1; sequence < next_sequence_; ++sequence) {
        for (const Recovered& half : recovered) {
            const auto& chain = half.scan.chain;
            if (chain.empty() || sequence < chain.front().sequence ||
                sequence > chain.back().sequence)
                continue;
            const Record& record = chain[sequence - chain.front().sequence];
            const Status done = replay(record.payload, record.end - record.begin);
            if (!done) return done.error();
            break;
        }
    }
    return Done{};
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
        const Status done =
            halves_[index].file->write(at, std::string_view(recovered.bytes).substr(at, bytes));
        if (!done) return done.error();
    }
    return halves_[index].file->sync();
}

Result<std::unique_ptr<Journal>> Journal::open(const Place& place, std::uint64_t applied,
                                               const Replay& replay) {
    std::unique_ptr<Journal> journal(new Journal(place));
    journal->applied_ = applied;
    std::array<Recovered, 2> recovered;
    for (std::size_t index = 0; index < 2; ++index) {
        const Status done = journal->open_half(index, recovered[index]);
        if (!done) return done.error();
    }

    std::uint64_t end = applied;
    for (int turn = 0; turn < 2; ++turn) {  // the dense run may begin in either file
        for (const Recovered& half : recovered) {
            const auto& chain = half.scan.chain;
            if (!chain.empty() && chain.front().sequence <= end + 1)
                end = std::max(end, chain.back().sequence);
        }
    }
    const Status dense = journal->check_dense(recovered, end);
    if (!dense) return dense.error();
    journal->next_sequence_ = end + 1;
    journal->active_ =
        journal->halves_[1].last_sequence > journal->halves_[0].last_sequence ? 1 : 0;
    for (std::size_t index = 0; index < 2; ++index) {
        const Status done = journal->make_durable(index, recovered[index]);
        if (!done) return done.error();
    }
    const Status replayed = journal->replay_all(recovered, replay);
    if (!replayed) return replayed.error();
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
    finish_record(record_, next_sequence_, place_.store_id);
    const bool switching = halves_[active_].end + record_.size() > file_bytes_;
    Half& half = halves_[switching ? 1 - active_ : active_];
    const std::size_t at = switching ? kRecordsBegin : half.end;
    const Status done = half.file->write(at, record_);
    if (!done) return done.error();
    if (switching) active_ = 1 - active_;
    half.end = at + record_.size();
    half.last_sequence = next_sequence_++;
    return Done{};
}

Status Journal::sync() {
    return halves_[active_].file->sync();
}

}  // namespace dyad::sqlite
