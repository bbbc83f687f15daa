// What web/export_networks.py took from the Python package: nothing here is copied by hand.

import settings from "../../networks/settings.json";

export { settings };

export type Role = keyof typeof settings.networks;

export interface NetworkSettings {
  name: string;
  channels: number;
  levelMap: string;
  multiple: number;
  margin: number;
  overlap: number;
}
