// `dyad-memory salvage`: a new, whole folder from what is left of a damaged one.
#include "store/sqlite/salvage.hpp"

#include "cli/command.hpp"
#include "cli/doctor.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "store/sqlite/folder.hpp"

#include <filesystem>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;
using sqlite::SalvageAccount;
using sqlite::SalvagedItem;
using sqlite::SalvagedRange;
using sqlite::SalvagedUser;

struct SalvageOptions {
    std::string folder;  // the damaged one; empty: serve's
    std::string to;
};

std::string range_text(const SalvagedRange& range) {
    return range.first == range.last
               ? "event " + std::to_string(range.first)
               : "events " + std::to_string(range.first) + " to " + std::to_string(range.last);
}

std::string summary(const SalvageAccount& account, const std::string& to) {
    std::size_t kept = 0, lost = 0, items_lost = 0, items_older = 0;
    for (const SalvagedUser& user : account.users) {
        kept += user.events_kept();
        lost += user.events_lost();
        for (const SalvagedItem& item : user.items)
            (item.what == "lost" ? items_lost : items_older) += 1;
    }
    std::string text = counted(kept, "event") + " of " + counted(account.users.size(), "user") +
                       " saved into " + to;
    if (account.whole()) return text + "; nothing is missing";
    if (lost + items_lost + items_older == 0)
        return text + "; nothing is known to be missing, but what is damaged may have held more";
    return text + "; lost: " + counted(lost, "event") + ", " + counted(items_lost, "document") +
           "; not as new as they were: " + std::to_string(items_older);
}

template <class List>
boost::json::array list_json(const List& list) {
    return boost::json::array(list.begin(), list.end());
}

json::Value range_json(const SalvagedRange& range) {
    json::Value out{{"first", range.first}, {"last", range.last}};
    if (!range.kept) out.get_object()["why"] = range.why;
    return out;
}

json::Value item_json(const SalvagedItem& item) {
    boost::json::object out{
        {"kind", item.kind}, {"name", item.name}, {"what", item.what}, {"why", item.why}};
    const std::string unit = item.kind == "response" ? "Offset" : "Version";
    if (item.kept != 0) out["kept" + unit] = item.kept;
    if (item.had != 0) out["had" + unit] = item.had;
    return out;
}

json::Value user_json(const SalvagedUser& user) {
    boost::json::array kept, lost, items;
    for (const SalvagedRange& range : user.events)
        (range.kept ? kept : lost).push_back(range_json(range));
    for (const SalvagedItem& item : user.items)
        items.push_back(item_json(item));
    boost::json::object counts;
    for (const auto& [kind, count] : user.kept)
        counts[kind + "s"] = count;
    return {{"userId", user.name},     {"whole", user.whole},
            {"newEpoch", !user.whole}, {"eventsKept", kept},
            {"eventsLost", lost},      {"kept", counts},
            {"changed", items},        {"notes", list_json(user.notes)}};
}

void print_account_json(const SalvageAccount& account, const std::string& to) {
    boost::json::array users;
    for (const SalvagedUser& user : account.users)
        users.push_back(user_json(user));
    print_json({{"whole", account.whole()},
                {"folder", to},
                {"summary", summary(account, to)},
                {"damages", list_json(account.damages)},
                {"recordsWhole", account.records_whole},
                {"recordsLost", list_json(account.records_lost)},
                {"users", users}});
}

std::string item_text(const SalvagedItem& item) {
    const char* const unit = item.kind == "response" ? "event " : "version ";
    std::string text = item.kind + " " + item.name + ": " + item.what;
    if (item.kept != 0) text += ", now " + (unit + std::to_string(item.kept));
    if (item.had != 0)
        text += (item.kept != 0 ? ", was " : ", it had ") + (unit + std::to_string(item.had));
    return text + " (" + item.why + ")";
}

void print_user(const SalvagedUser& user) {
    std::string line = printable(user.name) + ": " + counted(user.events_kept(), "event");
    for (const auto& [kind, count] : user.kept)
        if (count != 0) line += ", " + counted(count, kind);
    print_line(paint(user.whole ? Colour::green : Colour::amber, user.whole ? "✓ " : "! ") + line +
               (user.whole ? "" : "; its clients are told to read it anew"));
    for (const SalvagedRange& range : user.events)
        if (!range.kept)
            print_line("    " + range_text(range) + ": lost (" + printable(range.why) + ")");
    for (const SalvagedItem& item : user.items)
        print_line("    " + printable(item_text(item)));
    for (const std::string& note : user.notes)
        print_line("    " + printable(note));
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

Result<SalvageAccount> salvage_into(const std::string& from, const fs::path& part) {
    const auto lock = sqlite::FolderLock::take(part);
    if (!lock) return lock.error();
    sqlite::SalvageOptions options;
    options.from = from + "/" + sqlite::kDatabaseName;
    options.to = (part / sqlite::kDatabaseName).string();
    options.on_progress = [](std::size_t done, std::size_t of) { show_percent("", done, of); };
    SystemRandom random;
    return sqlite::salvage(options, random);
}

Status check_new(const fs::path& folder) {
    for (const Finding& finding : check_store(folder.string(), nullptr))
        if (finding.verdict != Verdict::ok)
            return fail(Errc::internal, "the new folder is not whole: " + finding.text +
                                            "; keep the damaged one, and report this");
    return Done{};
}

// The damaged folder stays as it is, to the byte. `to` is there only once it is whole; until then
// the work stands beside it, in `to`.part.
// Errors: storage_locked where a server uses `from`; invalid_field where `to` is not a new or empty
// folder; those of sqlite::salvage.
Result<SalvageAccount> salvage_folder(const std::string& from, const std::string& to) {
    std::error_code error;
    const fs::path target = fs::absolute(fs::path(to)).lexically_normal();
    const fs::path place = target.filename().empty() ? target.parent_path() : target;
    const fs::path part = place.string() + ".part";
    TRY(check_places(from, place, part));
    const auto damaged = sqlite::FolderLock::take_to_read(from);
    if (!damaged) return damaged.error();
    Result<SalvageAccount> account = salvage_into(from, part);
    if (account)
        if (const Status whole = check_new(part); !whole) account = whole.error();
    if (!account) {
        fs::remove_all(part, error);
        return account;
    }
    sqlite::sync_folder(part);
    fs::rename(part, place, error);
    if (error)
        return fail(Errc::storage_unavailable,
                    part.string() + ": cannot be renamed: " + error.message());
    sqlite::sync_folder(place.parent_path());
    return account;
}

// The status is salvage's own: 1 where something is missing, 2 where it failed.
Exit run_salvage(const CommonOptions& common, const SalvageOptions& options) {
    const std::string from = options.folder.empty()
                                 ? resolve(read_inputs(common.flags, common.env_file)).data_dir()
                                 : options.folder;
    const auto account = salvage_folder(from, options.to);
    if (!account) {
        static_cast<void>(report(common, {.code = std::string(error_row(account.error().code).name),
                                          .message = account.error().detail}));
        return static_cast<Exit>(2);
    }
    if (common.json) {
        print_account_json(*account, options.to);
    } else {
        for (const std::string& damage : account->damages)
            print_line(paint(Colour::red, "✗ ") + printable(damage));
        for (const SalvagedUser& user : account->users)
            print_user(user);
        print_line("\n" + printable(summary(*account, options.to)));
        print_line(
            paint(Colour::cyan, "→ dyad-memory serve --data-dir '" + printable(options.to) + "'") +
            "; keep the damaged folder until all is well");
    }
    return static_cast<Exit>(account->whole() ? 0 : 1);
}

}  // namespace

void add_salvage(Command& root) {
    const auto o = std::make_shared<SalvageOptions>();
    root.add("salvage", "Save what is still good of a damaged folder into a new one", run_salvage,
             o)
        .path("FOLDER", o->folder, "The damaged one (default: serve's)")
        .required(false)
        .path("--to", o->to, "The new folder")
        .required()
        .footer(
            "The damaged folder stays as it is; what could not be saved is named.\nExit "
            "status: 0 done, and nothing is missing; 1 something is; 2 it failed.",
            false);
}

}  // namespace dyad::cli
