#include "ops/salvage.hpp"

#include "ops/doctor.hpp"
#include "store/sqlite/folder.hpp"

#include <filesystem>

namespace dyad::ops {
namespace {

namespace fs = std::filesystem;

Error cannot(const fs::path& path, const char* what, const std::error_code& why) {
    return fail(Errc::storage_unavailable, path.string() + ": " + what + ": " + why.message());
}

Status check_places(const fs::path& from, const fs::path& to, const fs::path& part) {
    std::error_code error;
    if (!fs::is_directory(from, error))
        return fail(Errc::invalid_field, from.string() + ": is not a folder; name the damaged one");
    const fs::path damaged = fs::canonical(from, error);
    for (fs::path above = fs::weakly_canonical(to, error); above != above.parent_path();
         above = above.parent_path())
        if (above.parent_path() == damaged)
            return fail(Errc::invalid_field, "--to: " + to.string() +
                                                 " is inside of the damaged folder, which stays as "
                                                 "it is; name one elsewhere");
    if (fs::exists(fs::symlink_status(part, error)))
        return fail(Errc::invalid_field,
                    part.string() +
                        ": is there, maybe from an attempt that was broken off, and "
                        "is needed; remove it, or name another folder");
    if (!fs::exists(to, error)) return Done{};
    if (fs::is_directory(to, error) && fs::is_empty(to, error) && !error) return Done{};
    return fail(Errc::invalid_field,
                "--to: " + to.string() + " is there and not empty; name a new folder");
}

Status check_new(const fs::path& folder) {
    for (const Finding& finding : check_store(folder.string(), nullptr))
        if (finding.verdict != Verdict::ok)
            return fail(Errc::internal, "the new folder is not whole: " + finding.text +
                                            "; keep the damaged one, and report this");
    return Done{};
}

}  // namespace

Result<sqlite::SalvageAccount> salvage_folder(
    const std::string& from, const std::string& to,
    const std::function<void(std::size_t, std::size_t)>& on_progress) {
    std::error_code error;
    const fs::path target = fs::absolute(fs::path(to)).lexically_normal();
    const fs::path place = target.filename().empty() ? target.parent_path() : target;
    const fs::path part = place.string() + ".part";
    TRY(check_places(from, place, part));
    const auto damaged = sqlite::FolderLock::take_to_read(from);
    if (!damaged) return damaged.error();

    Result<sqlite::SalvageAccount> account = [&]() -> Result<sqlite::SalvageAccount> {
        const auto lock = sqlite::FolderLock::take(part);
        if (!lock) return lock.error();
        sqlite::SalvageOptions options;
        options.from = from + "/" + sqlite::kDatabaseName;
        options.to = (part / sqlite::kDatabaseName).string();
        options.on_progress = on_progress;
        SystemRandom random;
        return sqlite::salvage(options, random);
    }();
    const Status whole = account ? check_new(part) : account.error();
    if (!whole) account = whole.error();
    if (!account) {
        fs::remove_all(part, error);
        return account.error();
    }
    sqlite::sync_folder(part);
    fs::rename(part, place, error);
    if (error) return cannot(part, "cannot be renamed", error);
    sqlite::sync_folder(place.parent_path());
    return account;
}

}  // namespace dyad::ops
