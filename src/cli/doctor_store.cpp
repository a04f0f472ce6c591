// Checks of the data folder and of the store in it.
#include "base/clock.hpp"
#include "base/text.hpp"
#include "cli/doctor.hpp"
#include "store/sqlite/database_header.hpp"
#include "store/sqlite/folder.hpp"
#include "store/sqlite/opening.hpp"
#include "store/sqlite/salvage_sources.hpp"
#include "store/sqlite/schema.hpp"
#include "store/sqlite/store_check.hpp"
#include "store/sqlite/untouched.hpp"
#include "store/sqlite/whole.hpp"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

constexpr std::uint64_t kSpaceFail = 64ULL << 20;
constexpr std::uint64_t kSpaceWarn = 1ULL << 30;
constexpr const char* kStore = "Store";

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20) + " MiB";
}

// The folder itself, or the nearest one above it that exists.
std::string existing_part(std::string path) {
    struct stat status{};
    while (path.size() > 1 && stat(path.c_str(), &status) != 0) {
        const std::size_t slash = path.rfind('/');
        path.resize(slash == std::string::npos || slash == 0 ? 1 : slash);
    }
    return path;
}

Finding check_space(const std::string& path) {
    struct statvfs space{};
    if (statvfs(path.c_str(), &space) != 0) return {Verdict::warn, "Free space", "cannot be told"};
    const std::uint64_t free = std::uint64_t{space.f_bavail} * space.f_frsize;
    if (free < kSpaceFail)
        return {Verdict::fail, "Free space", mebibytes(free) + " left on the disk of " + path,
                "free some space, or choose another folder with --data-dir"};
    if (free < kSpaceWarn)
        return {Verdict::warn, "Free space", mebibytes(free) + " left on the disk of " + path,
                "free some space soon; a full disk refuses writes"};
    return {Verdict::ok, "Free space", mebibytes(free) + " left"};
}

Finding check_permissions(const std::string& folder) {
    for (const std::string& path :
         {folder, folder + "/" + sqlite::kDatabaseName, folder + "/memory.lock"}) {
        struct stat status{};
        if (stat(path.c_str(), &status) != 0 || (path != folder && !S_ISREG(status.st_mode)))
            continue;
        if (status.st_uid != geteuid() && geteuid() != 0)
            return {Verdict::fail, "Permissions", path + " belongs to another user",
                    "run as that user, or choose another folder with --data-dir"};
        if ((status.st_mode & 077) != 0)
            return {Verdict::warn, "Permissions", path + " can be opened by other users",
                    "chmod go= '" + path + "'"};
    }
    return {Verdict::ok, "Permissions", "for the owner only"};
}

std::string salvage_advice(const std::string& folder) {
    return "restore a backup, or save what is good: dyad-memory salvage '" + folder +
           "' --to NEW-FOLDER";
}

Finding failed_store(const std::string& folder, const Error& error) {
    constexpr std::pair<Errc, const char*> kAdvice[] = {
        {Errc::storage_full, "free some space on its disk"},
        {Errc::storage_newer, "use that version of the program"},
        {Errc::storage_unavailable, "run doctor as the server's user, and check the disk"},
    };
    if (error.code == Errc::storage_locked)
        return {Verdict::skipped, kStore, "in use: " + error.detail,
                "the server checks it itself: run doctor against it"};
    for (const auto& [code, advice] : kAdvice)
        if (error.code == code) return {Verdict::fail, kStore, error.detail, advice};
    std::string what = error.detail;  // what to do follows by itself
    what.resize(std::min(what.size(), what.find(std::string("; ") + sqlite::kDamageAdvice)));
    return {Verdict::fail, kStore, what, salvage_advice(folder)};
}

// What cannot be opened is looked at part by part, so that every damaged place is named.
std::vector<Finding> name_damages(const std::string& folder, const Error& error) {
    std::vector<Finding> out{failed_store(folder, error)};
    if (error.code != Errc::storage_damaged) return out;
    const auto sources = sqlite::find_sources(folder + "/" + sqlite::kDatabaseName, {}, nullptr);
    if (!sources) return out;
    if (error.detail.find("another program") != std::string::npos) {
        out.back().advice = "choose another folder with --data-dir";
        return out;
    }
    const std::string advice = std::exchange(out.back().advice, {});
    std::vector<std::string> places = sources->damages;
    if (sources->rows)
        for (const auto& [page, why] : sources->rows->damaged())
            places.push_back(folder + "/memory.db, page " + std::to_string(page) + ": " + why);
    constexpr std::size_t kNamed = 20;
    for (const std::string& place : places)
        if (error.detail.find(place.substr(0, place.find(": "))) == std::string::npos &&
            out.size() < kNamed)
            out.push_back({Verdict::fail, kStore, place});
    out.back().advice = advice;
    return out;
}

// The first start of this version converts it, and writes files anew for that: nothing to be done
// in passing.
bool is_of_older_version(sqlite3_vfs& vfs, const std::string& database) {
    const auto file = sqlite::File::open(vfs, database, false);
    if (!file) return false;
    const auto bytes = (*file)->read(0, sqlite::DatabaseHeader::kBytes);
    const std::uint32_t version = bytes ? sqlite::read_database_header(*bytes).user_version : 0;
    return version != 0 && version < sqlite::schema_version();
}

}  // namespace

std::vector<Finding> check_folder(const std::string& folder) {
    constexpr const char* kFolder = "Data folder";
    if (folder.empty())
        return {{Verdict::fail, kFolder, "no HOME and no DYAD_DATA_DIR",
                 "name a folder with --data-dir or DYAD_DATA_DIR"}};
    const std::string existing = existing_part(folder);
    struct stat status{};
    if (stat(existing.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
        return {{Verdict::fail, kFolder, existing + " is not a folder",
                 "choose another one with --data-dir"}};
    if (access(existing.c_str(), W_OK | X_OK) != 0)
        return {{Verdict::fail, kFolder, existing + " cannot be written: " + std::strerror(errno),
                 "chown or chmod it, or choose another one with --data-dir"}};
    if (existing != folder)
        return {{Verdict::ok, kFolder, folder + " will be made at the first start"},
                check_space(existing)};
    return {{Verdict::ok, kFolder, folder}, check_space(folder), check_permissions(folder)};
}

std::vector<Finding> describe_check(const CheckReport& report, const std::string& good,
                                    const std::string& advice) {
    if (report.damages == 0)
        return {{Verdict::ok, kStore,
                 counted(report.events, "event") + " and " + counted(report.rows, "document") +
                     " of " + counted(report.users, "user") + ", " + counted(report.pages, "page") +
                     ": all as written; " + good}};
    constexpr std::size_t kNamed = 20;
    std::vector<Finding> out;
    for (const CheckDamage& damage : report.list) {
        if (out.size() == kNamed) break;
        std::string text = damage.what;
        if (!damage.name.empty()) text += " " + damage.name;
        if (!damage.user_id.empty()) text += " of " + damage.user_id;
        if (!damage.text.empty()) text += ": " + damage.text;
        out.push_back({Verdict::fail, kStore, text});
    }
    if (report.damages > out.size())
        out.push_back({Verdict::fail, kStore,
                       "and " + std::to_string(report.damages - out.size()) + " more damages"});
    out.back().advice = advice;
    return out;
}

std::vector<Finding> check_store(const std::string& folder, const OnProgress& on_progress) {
    const std::string database = folder + "/" + sqlite::kDatabaseName;
    if (const Status files = sqlite::check_kinds(folder); !files)
        return {{Verdict::fail, kStore, files.error().detail}};
    sqlite::UntouchedVfs disk;
    const auto found = sqlite::look_at_files(disk.vfs(), database);
    if (found && *found == sqlite::Found::nothing)
        return {{Verdict::ok, kStore, "none yet; the first start makes it"}};
    const auto lock = sqlite::FolderLock::take_to_read(folder);
    if (!lock) return {failed_store(folder, lock.error())};
    if (!found) return name_damages(folder, found.error());
    if (is_of_older_version(disk.vfs(), database))
        return {{Verdict::skipped, kStore,
                 "an older version wrote it; the first start of this one checks and converts it"}};
    sqlite::StoreOptions options;
    options.database = database;
    options.vfs = disk.name();
    SystemRandom random;
    const auto store = sqlite::open_store(std::move(options), random);
    if (!store) return name_damages(folder, store.error());
    if (const Status applied = store->tables->apply(); !applied)
        return name_damages(folder, applied.error());
    store->commits->set_applied(store->tables->applied());
    sqlite::StoreCheck check(
        store->tables->connection(),
        [&](sqlite::Journal::Cursor& at) { return store->commits->journal().check_record(at); },
        true);
    while (check.step())
        if (on_progress) on_progress(check.report().done, check.report().of);
    return describe_check(check.report(), "read under its lock and left as it was",
                          "stop using this folder; " + salvage_advice(folder));
}

}  // namespace dyad::cli
