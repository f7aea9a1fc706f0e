"""Short keys of Home Assistant's MQTT discovery. Most are thing + part (`bri_cmd_t`), so the table is built, not listed."""

from __future__ import annotations

_PARTS = {"cmd_t": "command_topic", "cmd_tpl": "command_template", "stat_t": "state_topic", "stat_tpl": "state_template",
          "val_tpl": "value_template"}
_THINGS = {
    "aux": "aux", "away_mode": "away_mode", "bri": "brightness", "clr_temp": "color_temp", "clrm": "color_mode", "dir": "direction",
    "fan_mode": "fan_mode", "fx": "effect", "hold": "hold", "hs": "hs", "mode": "mode", "osc": "oscillation", "pct": "percentage",
    "pow": "power", "pr_mode": "preset_mode", "rgb": "rgb", "rgbw": "rgbw", "rgbww": "rgbww", "spd": "speed",
    "swing_mode": "swing_mode", "swing_h_mode": "swing_horizontal_mode", "temp": "temperature", "temp_hi": "temperature_high",
    "temp_lo": "temperature_low", "tilt": "tilt", "hum": "target_humidity", "whit": "white", "whit_val": "white_value", "xy": "xy",
}
_PAYLOADS = {
    "arm_away": "arm_away", "arm_home": "arm_home", "arm_nite": "arm_night", "arm_vacation": "arm_vacation",
    "arm_custom_b": "arm_custom_bypass", "avail": "available", "not_avail": "not_available", "cln_sp": "clean_spot", "cls": "close",
    "dir_fwd": "direction_forward", "dir_rev": "direction_reverse", "disarm": "disarm", "hi_spd": "high_speed", "lo_spd": "low_speed",
    "med_spd": "medium_speed", "off_spd": "off_speed", "home": "home", "not_home": "not_home", "inst": "install", "loc": "locate",
    "lock": "lock", "unlk": "unlock", "off": "off", "on": "on", "open": "open", "osc_off": "oscillation_off", "osc_on": "oscillation_on",
    "paus": "pause", "prs": "press", "ret": "return_to_base", "rst": "reset", "rst_hum": "reset_humidity", "rst_mode": "reset_mode",
    "rst_pct": "reset_percentage", "rst_pr_mode": "reset_preset_mode", "stop": "stop", "stop_tilt": "stop_tilt",
    "stpa": "start_pause", "strt": "start", "toff": "turn_off", "ton": "turn_on", "trig": "trigger",
}
_TOPICS = {
    "act": "action", "avty": "availability", "bat_lev": "battery_level", "chrg": "charging", "cln": "cleaning",
    "curr_hum": "current_humidity", "curr_temp": "current_temperature", "dock": "docked", "err": "error", "fanspd": "fan_speed",
    "img": "image", "json_attr": "json_attributes", "l_ver": "latest_version", "dock_cmd": "dock_command", "paus_mw_cmd": "pause_command",
    "strt_mw_cmd": "start_mowing_command", "pos": "position", "send_cmd": "send_command", "set_fan_spd": "set_fan_speed",
    "set_pos": "set_position", "tilt_status": "tilt_status", "url": "url", "cmd": "command", "stat": "state",
}
_OTHERS = {
    # any component
    "avty": "availability", "avty_mode": "availability_mode", "cmps": "components", "def_ent_id": "default_entity_id",
    "dev": "device", "dev_cla": "device_class", "e": "encoding", "en": "enabled_by_default", "ent_cat": "entity_category",
    "ent_pic": "entity_picture", "exp_aft": "expire_after", "frc_upd": "force_update", "ic": "icon", "init": "initial",
    "json_attr": "json_attributes", "migr_discvry": "migrate_discovery", "o": "origin", "obj_id": "object_id", "off_dly": "off_delay",
    "ops": "options", "opt": "optimistic", "p": "platform", "pl": "payload", "ret": "retain", "stat_cla": "state_class",
    "sug_dsp_prc": "suggested_display_precision", "t": "topic", "uniq_id": "unique_id", "unit_of_meas": "unit_of_measurement",
    "val_tpl": "value_template",
    # lights
    "b_tpl": "blue_template", "g_tpl": "green_template", "r_tpl": "red_template", "bri_scl": "brightness_scale",
    "bri_tpl": "brightness_template", "clr_temp_k": "color_temp_kelvin", "clr_temp_tpl": "color_temp_template", "clrm": "color_mode",
    "cmd_off_tpl": "command_off_template", "cmd_on_tpl": "command_on_template", "flsh": "flash", "flsh_tlng": "flash_time_long",
    "flsh_tsht": "flash_time_short", "fx_list": "effect_list", "fx_tpl": "effect_template", "max_k": "max_kelvin",
    "min_k": "min_kelvin", "max_mirs": "max_mireds", "min_mirs": "min_mireds", "on_cmd_type": "on_command_type",
    "stat_val_tpl": "state_value_template", "sup_clrm": "supported_color_modes", "whit_scl": "white_scale",
    "whit_val_scl": "white_value_scale",
    # states
    "stat_clsd": "state_closed", "stat_closing": "state_closing", "stat_jam": "state_jammed", "stat_locked": "state_locked",
    "stat_locking": "state_locking", "stat_off": "state_off", "stat_on": "state_on", "stat_open": "state_open",
    "stat_opening": "state_opening", "stat_stopped": "state_stopped", "stat_unlocked": "state_unlocked",
    "stat_unlocking": "state_unlocking",
    # alarms, climate, covers, fans, vacuums, updates, triggers and the rest
    "atype": "automation_type", "av_tones": "available_tones", "cod_arm_req": "code_arm_required",
    "cod_dis_req": "code_disarm_required", "cod_form": "code_format", "cod_trig_req": "code_trigger_required", "cont_type": "content_type",
    "dsp_prc": "display_precision", "evt_typ": "event_types", "fanspd_lst": "fan_speed_list",
    "hum_state_tpl": "target_humidity_state_template", "img_e": "image_encoding", "lrst_t": "last_reset_topic",
    "lrst_val_tpl": "last_reset_value_template", "max_hum": "max_humidity", "min_hum": "min_humidity", "pos": "reports_position",
    "pos_clsd": "position_closed", "pos_open": "position_open", "pr_modes": "preset_modes", "ptrn": "pattern", "rel_s": "release_summary",
    "rel_u": "release_url", "spd_rng_max": "speed_range_max", "spd_rng_min": "speed_range_min",
    "spds": "speeds", "src_type": "source_type", "stype": "subtype", "sup_dur": "support_duration", "sup_feat": "supported_features",
    "sup_vol": "support_volume_set", "swing_h_modes": "swing_horizontal_modes", "temp_unit": "temperature_unit",
    "tilt_clsd_val": "tilt_closed_value", "tilt_inv_stat": "tilt_invert_state", "tilt_opnd_val": "tilt_opened_value",
    "tilt_opt": "tilt_optimistic", "tit": "title", "trns": "transition",
}

ABBREVIATIONS: dict[str, str] = {
    **{f"{short}_{part}": f"{long}_{whole}" for short, long in _THINGS.items() for part, whole in _PARTS.items()},
    **{f"pl_{short}": f"payload_{long}" for short, long in _PAYLOADS.items()},
    **{f"{short}_{part}": f"{long}_{whole}" for short, long in _TOPICS.items() for part, whole in (("t", "topic"), ("tpl", "template"))},
    **_OTHERS,
}

DEVICE: dict[str, str] = {
    "cns": "connections", "cu": "configuration_url", "hw": "hw_version", "ids": "identifiers", "mdl": "model", "mdl_id": "model_id",
    "mf": "manufacturer", "sa": "suggested_area", "sn": "serial_number", "sw": "sw_version",
}

ORIGIN: dict[str, str] = {"sw": "sw_version", "url": "support_url"}
