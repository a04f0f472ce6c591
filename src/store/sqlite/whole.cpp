#include "store/sqlite/whole.hpp"

#include "store/sqlite/file.hpp"
#include "store/sqlite/schema.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace dyad::sqlite {
namespace {

// https://www.sqlite.org/fileformat2.html, 1.3 "The Database Header" and 3 "The Rollback Journal".
constexpr std::size_t kHeaderBytes = 100;
constexpr std::size_t kSectorBytes = 512;  // the rollback journal's header; its pages come after it
constexpr std::string_view kMagic{"SQLite format 3", 16};
constexpr std::size_t kRollbackHeaderBytes = 28;
constexpr std::string_view kRollbackMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
    std::uint32_t number = 0;
    for (std::size_t i = at; i < at + 4; ++i)
        number = number << 8 | static_cast<std::uint8_t>(bytes[i]);
    return number;
}

Error not_whole(const std::string& path, const std::string& what) {
    return fail(Errc::storage_damaged, path + ": " + what + "; " + kDamageAdvice);
}

struct Part {
    std::string path;
    std::optional<std::uint64_t> bytes{};  // nothing where there is no such file
};

class Folder {
  public:
    Folder(sqlite3_vfs& vfs, const std::string& database)
        : vfs_(vfs),
          database_{database},
          others_{Part{database + "-log0"}, Part{database + "-log1"}, Part{database + "-journal"}} {
    }

    Result<Found> look() {
        for (Part* part : {&database_, &others_[0], &others_[1], &others_[2]}) {
            const auto bytes = File::look(vfs_, part->path);
            if (!bytes) return bytes.error();
            part->bytes = *bytes;
        }
        const auto interrupted = interrupted_pages();
        if (!interrupted) return interrupted.error();
        const bool nothing = database_.bytes.value_or(0) == 0 || *interrupted == 0;
        const Status done = nothing ? nothing_is_lost() : is_whole(interrupted->has_value());
        if (!done) return done.error();
        return nothing ? Found::nothing : Found::store;
    }

  private:
    // Of how many pages the database was when a transaction began that was interrupted; nothing
    // where none was.
    Result<std::optional<std::uint32_t>> interrupted_pages() const {
        std::optional<std::uint32_t> pages;
        if (others_[2].bytes.value_or(0) < kRollbackHeaderBytes) return pages;
        const auto file = File::open(vfs_, others_[2].path, false);
        const Result<std::string> header =
            file ? (*file)->read(0, kRollbackHeaderBytes) : file.error();
        if (!header) return header.error();
        if (header->starts_with(kRollbackMagic)) pages = number_at(*header, 16);
        return pages;
    }

    // The database is missing or empty, or its first transaction is to be rolled back: nothing may
    // be there that is only made after it.
    Status nothing_is_lost() const {
        const Part& rollback = others_[2];
        const std::string what = !database_.bytes        ? "is missing"
                                 : *database_.bytes == 0 ? "is empty"
                                                         : "was only begun";
        for (const Part& part : others_)
            if (part.bytes && (!database_.bytes || &part != &rollback))
                return not_whole(database_.path, what + ", but " + part.path +
                                                     " is there: the memory was here, and a new "
                                                     "one must not take its place");
        if (!rollback.bytes) return Done{};
        // A transaction that began with an empty database has no page to roll back.
        const auto file = File::open(vfs_, rollback.path, false);
        const Result<std::string> bytes = file ? (*file)->read(0, *rollback.bytes) : file.error();
        if (!bytes) return bytes.error();
        if (bytes->find_first_not_of('\0', kSectorBytes) == std::string::npos) return Done{};
        return not_whole(database_.path, what + ", but " + rollback.path + " has pages of it");
    }

    // The database has content.
    Status is_whole(bool interrupted) const {
        const auto file = File::open(vfs_, database_.path, false);
        const Result<std::string> header = file ? (*file)->read(0, kHeaderBytes) : file.error();
        if (!header) return header.error();
        if (header->size() < kHeaderBytes || !header->starts_with(kMagic))
            return not_whole(database_.path,
                             "does not begin as a database does, so it is damaged or not a "
                             "database of this product");
        const Status ours = is_ours(*header);
        if (!ours) return ours;
        const Part& rollback = others_[2];
        if (!rollback.bytes)
            return not_whole(rollback.path, "is missing: without it nobody can tell whether " +
                                                database_.path + " was written to its end");
        return interrupted ? Done{} : is_long_enough(*header);
    }

    Status is_ours(std::string_view header) const {
        const std::uint32_t application = number_at(header, 68);
        const std::uint32_t version = number_at(header, 60);
        // All zero: a first start that got as far as its first page.
        const bool begun = application == 0 && version == 0 && number_at(header, 28) <= 1;
        if (begun && (others_[0].bytes || others_[1].bytes))
            return not_whole(database_.path, "has no table, but " + others_[0].path +
                                                 " or -log1 is there, which are made after them");
        if (application != kApplicationId && !begun)
            return fail(Errc::storage_damaged, database_.path +
                                                   ": is a database of another program; choose "
                                                   "another folder");
        if (version <= static_cast<std::uint32_t>(schema_version())) return Done{};
        return fail(Errc::storage_newer,
                    database_.path + ": a newer version of this program wrote it (schema " +
                        std::to_string(version) + ", this version knows " +
                        std::to_string(schema_version()) +
                        "); use that version, or restore a backup made before");
    }

    Status is_long_enough(std::string_view header) const {
        // A size of a page and a number of pages that count only where they were noted together.
        const std::uint32_t page = number_at(header, 14) & 0xffffU;
        const std::uint64_t whole = std::uint64_t{page == 1 ? 65536 : page} * number_at(header, 28);
        if (number_at(header, 24) != number_at(header, 92) || *database_.bytes >= whole)
            return Done{};
        return not_whole(database_.path, "is shorter than it was (" +
                                             std::to_string(*database_.bytes) + " of " +
                                             std::to_string(whole) + " bytes)");
    }

    sqlite3_vfs& vfs_;
    Part database_;
    std::array<Part, 3> others_;
};

}  // namespace

Result<Found> look_at_files(sqlite3_vfs& vfs, const std::string& database) {
    return Folder(vfs, database).look();
}

}  // namespace dyad::sqlite
