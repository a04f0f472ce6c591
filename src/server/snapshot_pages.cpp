#include "server/snapshot_pages.hpp"

#include <string_view>

namespace dyad::server {
namespace {

constexpr std::size_t kPageBytes = 64 * 1024;

template <class Items, class Write>
void list(std::string& out, std::size_t begin, std::string_view name, const Items& items,
          std::size_t& at, Write write) {
    out.append("\"").append(name).append("\":[");
    for (bool first = true; at < items.size() && out.size() - begin < kPageBytes; first = false) {
        if (!first) out += ',';
        write(out, items[at++]);
    }
    out += ']';
}

}  // namespace

bool SnapshotPages::next(std::string& out) {
    const std::size_t begin = out.size();
    list(out, begin, "contexts", snapshot_->contexts, contexts_,
         [](std::string& to, const ContextPtr& context) { write_context(to, *context); });
    list(out.append(","), begin, "modes", snapshot_->modes, modes_, write_mode);
    list(out.append(","), begin, "conflicts", snapshot_->conflicts, conflicts_, write_conflict);
    return contexts_ != snapshot_->contexts.size() || modes_ != snapshot_->modes.size() ||
           conflicts_ != snapshot_->conflicts.size();
}

}  // namespace dyad::server
