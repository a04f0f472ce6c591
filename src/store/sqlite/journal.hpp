// The journal: where a commit becomes durable, with one write and one sync.
//
// Two files of a fixed size, filled with zeros when they are made, so that a commit overwrites and
// never grows a file. Records go into one file until the next does not fit, then into the other,
// from its beginning: allowed once everything in it is applied, that is, durable in the database.
//
// What survives a crash is the dense run of whole records that follows the last applied one. The
// record after it was not acknowledged. A whole record that lies beyond a gap proves that an
// acknowledged one was damaged, and opening fails.
//
// Threads: one owner.
#pragma once

#include "base/result.hpp"
#include "store/sqlite/file.hpp"
#include "store/sqlite/journal_format.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace dyad::sqlite {

class Journal {
  public:
    struct Place {
        sqlite3_vfs* vfs;
        std::string database;  // its path; the journal's files are `<database>-log0` and `-log1`
        std::uint64_t store_id;
    };
    // One record's payload, and what it takes of a file.
    using Replay = std::function<Status(std::string_view payload, std::size_t record_bytes)>;

    // Makes both files, over what a first start that was broken off left of them, and returns once
    // they are durable. Errors: storage_damaged where one has records; storage_full.
    static Status create(const Place& place, std::size_t file_bytes);
    // Reads the records after `applied`, in order, and makes sure that they are durable.
    // Errors: storage_damaged, storage_newer, storage_unavailable, and those of `replay`.
    static Result<std::unique_ptr<Journal>> open(const Place& place, std::uint64_t applied,
                                                 const Replay& replay);

    // The next record, in the making.
    void begin();
    void add(std::string_view user, std::string_view batch);
    std::size_t record_bytes() const noexcept;  // what it takes of a file
    std::size_t record_bytes_max() const noexcept { return file_bytes_ - kRecordsBegin; }
    // False until more is applied.
    bool has_room(std::size_t bytes) const noexcept;

    // Writes the record. Requires: has_room(record_bytes()). After an error it may be made anew.
    // Errors: storage_full, storage_unavailable.
    Status write();
    // Returns once the record that was written is durable. An error is final: what the disk holds
    // is unknown, and only opening the journal again can tell.
    Status sync();

    // Goes on in the other file with an empty record, which is durable on return, so that what the
    // files have of records that are applied can be erased. Nothing where the file in use has none
    // of them, or the other one has a record that is not applied.
    // Errors: those of write() and of sync().
    Status turn_over();
    // Durably erases a piece of what the files have beside records that are not applied and those
    // of the file in use. False once nothing is left. An error is as one of sync().
    Result<bool> erase_some();
    // Reads the record behind the cursor from the disk again and moves on. False behind the last
    // one. Errors: storage_damaged where it is not as it was written.
    struct Cursor {
        std::size_t half = 0;
        std::size_t at = kRecordsBegin;
        std::uint64_t use = 0;
    };
    Result<bool> check_record(Cursor& cursor) const;

    std::uint64_t last_sequence() const noexcept { return next_sequence_ - 1; }
    std::uint64_t applied() const noexcept { return applied_; }
    std::size_t file_bytes() const noexcept { return file_bytes_; }
    // Everything up to `sequence` is durable in the database.
    void set_applied(std::uint64_t sequence) noexcept { applied_ = sequence; }

  private:
    struct Half {
        std::unique_ptr<File> file;
        std::size_t end = kRecordsBegin;   // of its records
        std::uint64_t last_sequence = 0;   // the highest that may be in it
        std::size_t used = kRecordsBegin;  // zeros from here on
        std::uint64_t use = 0;             // counts how often it was begun anew
    };
    struct Recovered {
        Pages bytes;
        Scan scan;
    };

    explicit Journal(const Place& place) : place_(place) {}
    Status write_into(std::size_t index);
    Status open_half(std::size_t index, Recovered& recovered);
    // What follows the applied record must be there without a gap, and nothing may be missing
    // before it.
    Status check_dense(const std::array<Recovered, 2>& recovered, std::uint64_t end) const;
    std::string place_after(const std::array<Recovered, 2>& recovered, std::uint64_t end) const;
    std::vector<Record> dense_run(const std::array<Recovered, 2>& recovered) const;
    // Writes what was read once more: after a failed sync the kernel shows pages that never
    // reached the disk, and would not write them again by itself.
    Status make_durable(std::size_t index, const Recovered& recovered);

    Place place_;
    std::size_t file_bytes_ = 0;
    std::array<Half, 2> halves_;
    std::size_t active_ = 0;
    std::uint64_t next_sequence_ = 1;
    std::uint64_t applied_ = 0;
    std::string record_;
};

}  // namespace dyad::sqlite
