#include "server/switches.hpp"

namespace dyad::server {

Status check_switches(const Settings& settings, const Command& command) {
    if (std::holds_alternative<RecordResponse>(command.body) && !settings.enable_glass_box_tracking)
        return fail(Errc::switched_off,
                    "responses are not recorded: ENABLE_GLASS_BOX_TRACKING is false; set it to "
                    "true and start the server again");
    return Done{};
}

}  // namespace dyad::server
