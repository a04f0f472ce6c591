#include "ops/salvage.hpp"

#include "store/sqlite/folder.hpp"
#include "store/sqlite/journaled.hpp"

#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

namespace dyad::ops {
namespace {

namespace fs = std::filesystem;

Error cannot(const fs::path& path, const char* what, const std::error_code& why) {
    return fail(Errc::storage_unavailable, path.string() + ": " + what + ": " + why.message());
}

Status check_places(const fs::path& from, const fs::path& to) {
    std::error_code error;
    if (!fs::is_directory(from, error))
        return fail(Errc::invalid_field, from.string() + ": is not a folder; name the damaged one");
    if (!fs::exists(to, error)) return Done{};
    if (fs::is_directory(to, error) && fs::is_empty(to, error) && !error) return Done{};
    return fail(Errc::invalid_field,
                "--to: " + to.string() + " is there and not empty; name a new folder");
}

// As the server opens it, and every event's hash.
Status check_new(const std::string& database) {
    sqlite::JournaledOptions options;
    options.database = database;
    SystemRandom random;
    const auto store = sqlite::Journaled::open(std::move(options), random);
    if (!store) return store.error();
    const auto users = (*store)->list_users();
    if (!users) return users.error();
    for (const std::string& user : *users)
        if (const Status good = (*store)->verify(user); !good) return good;
    return Done{};
}

void sync_folder(const fs::path& folder) {
    const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0) return;
    (void)::fsync(file);
    ::close(file);
}

}  // namespace

Result<sqlite::SalvageAccount> salvage_folder(
    const std::string& from, const std::string& to,
    const std::function<void(std::size_t, std::size_t)>& on_progress) {
    std::error_code error;
    const fs::path target = fs::absolute(fs::path(to)).lexically_normal();
    const fs::path place = target.filename().empty() ? target.parent_path() : target;
    const Status good = check_places(from, place);
    if (!good) return good.error();
    const auto damaged = sqlite::FolderLock::take_to_read(from);
    if (!damaged) return damaged.error();

    const fs::path part = place.string() + ".part";
    fs::remove_all(part, error);  // of an attempt that was broken off
    Result<sqlite::SalvageAccount> account = [&]() -> Result<sqlite::SalvageAccount> {
        const auto lock = sqlite::FolderLock::take(part);
        if (!lock) return lock.error();
        sqlite::SalvageOptions options;
        options.from = from + "/" + sqlite::kDatabaseName;
        options.to = (part / sqlite::kDatabaseName).string();
        options.on_progress = on_progress;
        SystemRandom random;
        auto done = sqlite::salvage(options, random);
        if (!done) return done.error();
        const Status whole = check_new(options.to);
        if (!whole) return whole.error();
        return done;
    }();
    if (!account) {
        fs::remove_all(part, error);
        return account.error();
    }
    sync_folder(part);
    fs::rename(part, place, error);
    if (error) return cannot(part, "cannot be renamed", error);
    sync_folder(place.parent_path());
    return account;
}

}  // namespace dyad::ops
