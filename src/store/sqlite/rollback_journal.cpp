#include "store/sqlite/rollback_journal.hpp"

#include "store/sqlite/database_header.hpp"
#include "store/sqlite/seal.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace dyad::sqlite {
namespace {

constexpr std::string_view kMagic = "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";

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

class Reader {
  public:
    Reader(std::string_view bytes, std::size_t page_bytes)
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

}  // namespace

std::optional<std::uint32_t> pages_before(std::string_view header) {
    if (header.size() < kRollbackHeaderBytes || !header.starts_with(kMagic)) return std::nullopt;
    return number_at(header, 16);
}

Status check_rollback(const File& journal, const File& database, std::size_t page_bytes) {
    ASSIGN_OR_RETURN(const std::string bytes, journal.read(0, SIZE_MAX));
    ASSIGN_OR_RETURN(const std::uint64_t now, database.size());
    const auto before = pages_before(bytes);
    if (!before) return Done{};
    Reader reader(bytes, page_bytes);
    const std::string wrong = reader.read();
    if (!wrong.empty()) return not_usable(journal, database, wrong);
    const std::uint64_t whole = std::uint64_t{*before} * page_bytes;
    // Where it saved nothing yet, the database was not written to.
    const bool fits = reader.saved().empty() ? now == whole : now >= whole;
    ASSIGN_OR_RETURN(const bool of_this_time, follows(database, reader.saved()));
    if (fits && of_this_time) return Done{};
    return not_usable(journal, database, "is of another time than the database");
}

}  // namespace dyad::sqlite
