// `dyad-memory salvage`.
#include "ops/salvage.hpp"

#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

#include <unistd.h>

namespace dyad::cli {
namespace {

using sqlite::SalvageAccount;
using sqlite::SalvagedItem;
using sqlite::SalvagedRange;
using sqlite::SalvagedUser;

constexpr int kCouldNot = 2;

std::string plural(std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

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
    std::string text =
        plural(kept, "event") + " of " + plural(account.users.size(), "user") + " saved into " + to;
    if (account.whole()) return text + "; nothing is missing";
    if (lost + items_lost + items_older == 0)
        return text + "; nothing is known to be missing, but what is damaged may have held more";
    return text + "; lost: " + plural(lost, "event") + ", " + plural(items_lost, "document") +
           "; not as new as they were: " + std::to_string(items_older);
}

boost::json::object range_json(const SalvagedRange& range) {
    boost::json::object out{{"first", range.first}, {"last", range.last}};
    if (!range.kept) out["why"] = range.why;
    return out;
}

boost::json::object item_json(const SalvagedItem& item) {
    boost::json::object out{{"kind", item.kind}, {"name", item.name}, {"what", item.what}};
    const char* const unit = item.kind == "response" ? "Offset" : "Version";
    if (item.kept != 0) out[std::string("kept") + unit] = item.kept;
    if (item.had != 0) out[std::string("had") + unit] = item.had;
    out["why"] = item.why;
    return out;
}

boost::json::object user_json(const SalvagedUser& user) {
    boost::json::array kept, lost, items, notes;
    for (const SalvagedRange& range : user.events)
        (range.kept ? kept : lost).push_back(range_json(range));
    for (const SalvagedItem& item : user.items)
        items.push_back(item_json(item));
    for (const std::string& note : user.notes)
        notes.push_back(boost::json::value(note));
    boost::json::object counts;
    for (const auto& [kind, count] : user.kept)
        counts[kind + "s"] = count;
    boost::json::object out{
        {"userId", user.name}, {"whole", user.whole}, {"newEpoch", !user.whole}};
    out["eventsKept"] = std::move(kept);
    out["eventsLost"] = std::move(lost);
    out["kept"] = std::move(counts);
    out["changed"] = std::move(items);
    out["notes"] = std::move(notes);
    return out;
}

void print_account_json(const SalvageAccount& account, const std::string& to) {
    boost::json::array users, damages, records;
    for (const SalvagedUser& user : account.users)
        users.push_back(user_json(user));
    for (const std::string& damage : account.damages)
        damages.push_back(boost::json::value(damage));
    for (const std::uint64_t record : account.records_lost)
        records.push_back(record);
    boost::json::object out{
        {"whole", account.whole()}, {"folder", to}, {"summary", summary(account, to)}};
    out["damages"] = std::move(damages);
    out["recordsWhole"] = account.records_whole;
    out["recordsLost"] = std::move(records);
    out["users"] = std::move(users);
    print_json(out);
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
    std::string line = printable(user.name) + ": " + plural(user.events_kept(), "event");
    for (const auto& [kind, count] : user.kept)
        if (count != 0) line += ", " + plural(count, kind);
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

}  // namespace

int run_salvage(const CommonOptions& common, const SalvageCommand& command) {
    const std::string from = command.folder.empty()
                                 ? resolve(read_inputs(common.flags, common.env_file)).data_dir()
                                 : command.folder;
    const bool shows = isatty(STDERR_FILENO) == 1;
    const auto account =
        ops::salvage_folder(from, command.to, [&](std::size_t done, std::size_t of) {
            if (shows) complain("\r" + std::to_string(of == 0 ? 100 : 100 * done / of) + " %  \r");
        });
    if (!account) {
        Failure failure;
        failure.code = error_row(account.error().code).name;
        failure.message = account.error().detail;
        static_cast<void>(report(common, failure));
        return kCouldNot;
    }
    if (common.json) {
        print_account_json(*account, command.to);
    } else {
        for (const std::string& damage : account->damages)
            print_line(paint(Colour::red, "✗ ") + printable(damage));
        for (const SalvagedUser& user : account->users)
            print_user(user);
        print_line("\n" + printable(summary(*account, command.to)));
        print_line(
            paint(Colour::cyan, "→ dyad-memory serve --data-dir '" + printable(command.to) + "'") +
            "; keep the damaged folder until all is well");
    }
    return account->whole() ? 0 : 1;
}

}  // namespace dyad::cli
