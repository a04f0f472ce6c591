#include "store/sqlite/whole.hpp"

#include "store/sqlite/database_header.hpp"
#include "store/sqlite/file.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/seal.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

namespace dyad::sqlite {
namespace {

constexpr std::size_t kSectorBytes = 512;  // the rollback journal's header; its pages come after it

Error not_whole(const std::string& path, const std::string& what) {
    return fail(Errc::storage_damaged, path + ": " + what + "; " + kDamageAdvice);
}

constexpr std::string_view kRollbackMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";

struct SavedPage {
    std::uint32_t number = 0;
    std::string_view bytes;
    std::uint64_t transaction = 0;  // that wrote it
};

Error not_usable(const File& journal, const File& database, const std::string& what) {
    return fail(Errc::storage_damaged, std::string(journal.path()) + ": " + what +
                                           ", so the transaction that was interrupted in " +
                                           database.path() + " cannot be undone; " + kDamageAdvice);
}

// As SQLite adds it up.
std::uint32_t checksum_of(std::string_view page, std::uint32_t nonce) {
    constexpr std::size_t kStep = 200;
    for (std::size_t at = page.size(); at > kStep;) {
        at -= kStep;
        nonce += static_cast<std::uint8_t>(page[at]);
    }
    return nonce;
}

// Of how many pages the database was when the transaction began that is to be rolled back; nothing
// where there is none, as `header` has it, the first bytes of the rollback journal.
std::optional<std::uint32_t> pages_before(std::string_view header) {
    if (header.size() < kRollbackHeaderBytes || !header.starts_with(kRollbackMagic))
        return std::nullopt;
    return number_at(header, 16);
}

// The saved pages (https://www.sqlite.org/fileformat2.html, 3).
class RollbackReader {
  public:
    RollbackReader(std::string_view bytes, std::size_t page_bytes)
        : bytes_(bytes), page_bytes_(page_bytes) {}

    // What is wrong; empty where nothing is.
    std::string read() {
        std::size_t at = 0;
        while (pages_before(bytes_.substr(std::min(at, bytes_.size())))) {
            const std::size_t sector = number_at(bytes_, at + 20);
            if (sector < 512 || sector > 65536 || number_at(bytes_, at + 24) != page_bytes_)
                return "its header at byte " + std::to_string(at) + " is damaged";
            const std::uint32_t count = number_at(bytes_, at + 8);
            const std::uint32_t nonce = number_at(bytes_, at + 12);
            at += sector;
            for (std::uint32_t i = 0; i < count; ++i, at += page_bytes_ + 8)
                if (!take(at, nonce))
                    return "its page at byte " + std::to_string(at) + " is damaged";
            at = (at + sector - 1) / sector * sector;
        }
        return {};
    }
    const std::vector<SavedPage>& saved() const noexcept { return saved_; }

  private:
    bool take(std::size_t at, std::uint32_t nonce) {
        if (at + page_bytes_ + 8 > bytes_.size()) return false;
        SavedPage page{.number = number_at(bytes_, at),
                       .bytes = bytes_.substr(at + 4, page_bytes_)};
        const auto seal = read_seal(page.bytes, page.number);
        if (!seal || number_at(bytes_, at + 4 + page_bytes_) != checksum_of(page.bytes, nonce))
            return false;
        page.transaction = seal->transaction;
        saved_.push_back(page);
        return true;
    }

    std::string_view bytes_;
    std::size_t page_bytes_;
    std::vector<SavedPage> saved_;
};

// Every transaction changes the row that counts them, so the newest page that it saved is of the
// one before it. What the database has in place of a saved page was written by it, or half written.
Result<bool> follows(const File& database, const std::vector<SavedPage>& saved) {
    std::uint64_t before = 0;
    for (const SavedPage& page : saved)
        before = std::max(before, page.transaction);
    for (const SavedPage& page : saved) {
        ASSIGN_OR_RETURN(const std::string now,
                         database.read((page.number - 1) * page.bytes.size(), page.bytes.size()));
        const auto seal = read_seal(now, page.number);
        // Transactions of a first start are not counted.
        if (seal && now != page.bytes && seal->transaction != 0 && seal->transaction != before + 1)
            return false;
    }
    return true;
}

// SQLite stops without a word at the first page of its rollback journal that is damaged, and would
// put pages of another time into a database that they do not belong to. So, before it plays it
// back: whether every page in it is as it was sealed, and is the last state before the one that the
// database, which has sealed pages of `page_bytes`, holds now.
Status check_rollback(const File& journal, const File& database, std::size_t page_bytes) {
    ASSIGN_OR_RETURN(const Pages bytes, journal.read_all());
    ASSIGN_OR_RETURN(const std::uint64_t now, database.size());
    const auto before = pages_before(bytes);
    if (!before) return Done{};
    RollbackReader reader(bytes, page_bytes);
    const std::string wrong = reader.read();
    if (!wrong.empty()) return not_usable(journal, database, wrong);
    const std::uint64_t whole = std::uint64_t{*before} * page_bytes;
    // Where it saved nothing yet, the database was not written to.
    const bool fits = reader.saved().empty() ? now == whole : now >= whole;
    ASSIGN_OR_RETURN(const bool of_this_time, follows(database, reader.saved()));
    if (fits && of_this_time) return Done{};
    return not_usable(journal, database, "is of another time than the database");
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
