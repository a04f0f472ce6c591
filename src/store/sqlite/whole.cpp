#include "store/sqlite/whole.hpp"

#include "store/sqlite/database_header.hpp"
#include "store/sqlite/file.hpp"
#include "store/sqlite/rollback_journal.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/seal.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace dyad::sqlite {
namespace {

constexpr std::size_t kSectorBytes = 512;  // the rollback journal's header; its pages come after it

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
            ASSIGN_OR_RETURN(part->bytes, File::look(vfs_, part->path));
        }
        ASSIGN_OR_RETURN(const auto interrupted, interrupted_pages());
        const bool nothing = database_.bytes.value_or(0) == 0 || interrupted == 0;
        TRY(nothing ? nothing_is_lost() : is_whole(interrupted.has_value()));
        return nothing ? Found::nothing : Found::store;
    }

  private:
    // Of how many pages the database was when a transaction began that was interrupted; nothing
    // where none was.
    Result<std::optional<std::uint32_t>> interrupted_pages() const {
        if (others_[2].bytes.value_or(0) == 0) return std::optional<std::uint32_t>();
        ASSIGN_OR_RETURN(const std::string header,
                         File::load(vfs_, others_[2].path, kRollbackHeaderBytes));
        return pages_before(header);
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
        ASSIGN_OR_RETURN(const std::string bytes, File::load(vfs_, rollback.path));
        // After each of the later ones the journal is cut, to less than the sector it begins with.
        const bool was_cut = !bytes.empty() && bytes.size() < kSectorBytes;
        if (!was_cut && bytes.find_first_not_of('\0', kSectorBytes) == std::string::npos)
            return Done{};
        return not_whole(database_.path, what + ", but " + rollback.path + " has been used for it");
    }

    // The database has content.
    Status is_whole(bool interrupted) const {
        ASSIGN_OR_RETURN(const auto file, File::open(vfs_, database_.path, false));
        ASSIGN_OR_RETURN(const std::string bytes, file->read(0, DatabaseHeader::kBytes));
        const DatabaseHeader header = read_database_header(bytes);
        if (!header.is_database)
            return not_whole(database_.path,
                             "does not begin as a database does, so it is damaged or not a "
                             "database of this product");
        TRY(is_ours(header));
        const Part& rollback = others_[2];
        if (rollback.bytes.value_or(0) == 0)
            return not_whole(rollback.path,
                             "is missing or empty: without it nobody can tell whether " +
                                 database_.path + " was written to its end");
        const std::uint64_t whole = std::uint64_t{header.page_bytes} * header.pages;
        if (!interrupted && *database_.bytes < whole)
            return not_whole(database_.path, "is shorter than it was (" +
                                                 std::to_string(*database_.bytes) + " of " +
                                                 std::to_string(whole) + " bytes)");
        if (!interrupted || header.reserved_bytes != kSealBytes) return Done{};
        ASSIGN_OR_RETURN(const auto journal, File::open(vfs_, rollback.path, false));
        return check_rollback(*journal, *file, header.page_bytes);
    }

    Status is_ours(const DatabaseHeader& header) const {
        // All zero: a first start that got as far as its first page.
        const bool begun =
            header.application_id == 0 && header.user_version == 0 && header.pages <= 1;
        if (begun && (others_[0].bytes || others_[1].bytes))
            return not_whole(database_.path, "has no table, but " + others_[0].path +
                                                 " or -log1 is there, which are made after them");
        if (header.application_id != kApplicationId && !begun)
            return fail(Errc::storage_damaged, database_.path +
                                                   ": is a database of another program; choose "
                                                   "another folder");
        return check_version(database_.path, header.user_version);
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
